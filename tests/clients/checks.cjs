// Named checks that run one after the other and close with "N passed, N failed".
'use strict';
const assert = require('node:assert/strict');

const list = [];
const check = (name, run) => list.push({ name, run });

async function runAll() {
  let failed = 0;
  for (const { name, run } of list) {
    let timer;
    try {
      await Promise.race([run(), new Promise((_, no) => (timer = setTimeout(() => no(new Error('no answer within 10 s')), 10000)))]);
      console.log(`  ok  ${name}`);
    } catch (e) {
      failed++;
      console.log(`  FAILED  ${name}\n      ${String(e.message ?? JSON.stringify(e)).slice(0, 1200).replace(/\n/g, '\n      ')}`);
    } finally {
      clearTimeout(timer);
    }
  }
  console.log(`${list.length - failed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
}

module.exports = { assert, check, runAll };

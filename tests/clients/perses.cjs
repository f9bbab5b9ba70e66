// The HTTP client of Perses' Prometheus plugin: `node perses.cjs URL S E`, data as for grafana.cjs.
'use strict';
require('./browser.cjs');
const { assert, check, runAll } = require('./checks.cjs');
const client = require('@perses-dev/prometheus-plugin/lib/cjs/model/prometheus-client.js');

const [url, S, E] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const at = { datasourceUrl: url };
const span = { start: S, end: E };

async function got(answer) {
  const { status, data } = await answer;
  assert.equal(status, 'success');
  return data;
}

check('health check', async () => assert.equal(await client.healthCheck(at)(), true));
check('instant query', async () => {
  const { resultType, result } = await got(client.instantQuery({ query: 'chk_requests_total', time: E }, at));
  assert.equal(resultType, 'vector');
  assert.deepEqual(result.map((r) => r.metric.code).sort(), ['200', '500']);
  assert.ok(result.every((r) => r.value[0] === E && typeof r.value[1] === 'string'));
});
check('range query', async () => {
  const { result } = await got(client.rangeQuery({ query: 'chk_gauge{k="x"}', start: E - 60, end: E, step: 5 }, at));
  assert.deepEqual(result.map((r) => r.values), [Array.from({ length: 13 }, (_, i) => [E - 60 + 5 * i, '42'])]);
});
check('label names', async () => {
  assert.deepEqual(await got(client.labelNames({ 'match[]': ['chk_requests_total'], ...span }, at)), ['__name__', 'code', 'instance', 'job', 'path']);
});
check('label values', async () => {
  assert.deepEqual(await got(client.labelValues({ labelName: 'code', 'match[]': ['chk_requests_total'], ...span }, at)), ['200', '500']);
});
check('metadata', async () => {
  assert.deepEqual((await got(client.metricMetadata({}, at))).chk_gauge, [{ type: 'gauge', help: 'A gauge.', unit: '' }]);
});
check('series', async () => {
  assert.deepEqual((await got(client.series({ 'match[]': ['chk_gauge'], ...span }, at))).map((s) => s.k), ['x', 'y']);
});
check('a query as a tree', async () => {
  const tree = await got(client.parseQuery({ query: 'sum by (code) (rate(chk_requests_total{job="chk"}[5m]))' }, at));
  assert.equal(tree.type, 'aggregation');
  assert.deepEqual(tree.grouping, ['code']);
  assert.equal(tree.expr.func.name, 'rate');
  assert.equal(tree.expr.args[0].range, 300000);
});
check('an error', async () => {
  await assert.rejects(client.instantQuery({ query: 'sum(' }, at), /1:5: parse error/);
});
runAll();

// The front end of Grafana's Prometheus data source, @grafana/prometheus, against a server: `node grafana.cjs URL S E`,
// with the data of tests/e2e/clients.py between the seconds S and E. HTTP_METHOD=GET asks by GET.
'use strict';
require('./browser.cjs');
const { lastValueFrom } = require('rxjs');
const { assert, check, runAll } = require('./checks.cjs');
const { Backend } = require('./backend.cjs');
const data = require('@grafana/data');
const runtime = require('@grafana/runtime');
const prom = require('@grafana/prometheus');

const [url, S, E] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const variables = { job: 'chk' };

const templateSrv = {
  getVariables: () => [],
  containsTemplate: (t) => /\$/.test(t ?? ''),
  updateTimeRange() {},
  getAdhocFilters: () => [],
  replace: (text, scoped) => (text ?? '').replace(/\$\{?([a-z_0-9]+)\}?/gi, (whole, name) => scoped?.[name]?.value ?? variables[name] ?? whole),
};
runtime.setTemplateSrv(templateSrv);

function source(jsonData = {}) {
  const settings = { httpMethod: process.env.HTTP_METHOD ?? 'POST', timeInterval: '5s', ...jsonData };
  const backend = new Backend(url, settings);
  runtime.setBackendSrv(backend.service());
  const instance = { id: 1, uid: 'varve', type: 'prometheus', name: 'varve', access: 'proxy', url: '', meta: { id: 'prometheus' }, jsonData: settings };
  const ds = new prom.PrometheusDatasource(instance, templateSrv);
  runtime.setDataSourceSrv({ get: async () => ds, getInstanceSettings: () => instance, getList: () => [instance] });
  return { ds, backend };
}

const time = (s) => data.dateTime(s * 1000);
const range = { from: time(S), to: time(E), raw: { from: time(S), to: time(E) } };
const { ds } = source();
const texts = (rows) => rows.map((r) => r.text);

function query(targets, more = {}) {
  const scopedVars = { __interval: { value: '5s' }, __interval_ms: { value: 5000 } };
  return { app: 'dashboard', requestId: '1', panelId: 1, timezone: 'utc', range, interval: '5s', intervalMs: 5000, maxDataPoints: 1000, startTime: Date.now(), scopedVars,
    targets: targets.map((t, i) => ({ refId: String.fromCharCode(65 + i), datasource: { uid: 'varve', type: 'prometheus' }, range: true, ...t })), ...more };
}

async function frames(from, targets, more) {
  const answer = await lastValueFrom(from.query(query(targets, more)));
  if (answer.error) throw new Error(answer.error.message ?? JSON.stringify(answer.error));
  return answer.data;
}
const values = (frame, i = 1) => Array.from(frame.fields[i].values);

check('save and test', async () => {
  const health = await ds.callHealthCheck();
  assert.equal(health.status, 'OK', JSON.stringify(health));
  assert.equal(health.details.application, 'Prometheus');
  assert.match(health.details.version, /^\d+\.\d+\.\d+/);
});
check('init: rules, exemplars', async () => {
  await ds.init();
  assert.equal(ds.exemplarsAvailable, true);
});
check('language provider: names, label names, metadata, histograms', async () => {
  await ds.languageProvider.start(range);
  const names = ds.languageProvider.retrieveMetrics();
  assert.ok(names.includes('chk_gauge') && names.includes('chk_latency_seconds_bucket'), names.join());
  assert.deepEqual(ds.languageProvider.retrieveHistogramMetrics(), ['chk_latency_seconds_bucket']);
  assert.ok(ds.languageProvider.retrieveLabelKeys().includes('code'));
  assert.deepEqual(ds.languageProvider.retrieveMetricsMetadata().chk_gauge, { type: 'gauge', help: 'A gauge.', unit: '' });
});
check('label names of a selector', async () => {
  assert.deepEqual(await ds.languageProvider.queryLabelKeys(range, '{__name__="chk_requests_total"}'), ['__name__', 'code', 'instance', 'job', 'path']);
});
check('label values with a selector and a limit', async () => {
  assert.deepEqual(await ds.languageProvider.queryLabelValues(range, 'code', '{job="chk"}'), ['200', '500']);
  assert.deepEqual(await ds.languageProvider.queryLabelValues(range, 'code', '{job="chk"}', 1), ['200']);
});
for (const [text, want] of [
  ['label_values(job)', ['chk']],
  ['label_values(chk_requests_total{job="$job"}, code)', ['200', '500']],
  ['label_values({job="chk",}, path)', ['/a']],
  ['label_values(k)', ['x', 'y']],
  ['label_names(chk_requests)', ['code', 'instance', 'job', 'path']],
  ['metrics(chk_l.*)', ['chk_latency_seconds_bucket', 'chk_latency_seconds_count', 'chk_latency_seconds_sum']],
  ['nothing_like_this', []],
]) {
  check(`variable: ${text}`, async () => assert.deepEqual(texts(await ds.metricFindQuery(text, { range })), want));
}
check('variable: query_result', async () => {
  const [one] = texts(await ds.metricFindQuery('query_result(max(chk_gauge))', { range }));
  assert.match(one, /^\{?\}? ?42 \d+$/);
});
check('variable: series', async () => {
  assert.deepEqual(texts(await ds.metricFindQuery('chk_gauge', { range })).length, 2);
});
check('variable: label_values by the variable editor', async () => {
  const answer = await lastValueFrom(ds.variables.query(query([{ qryType: 1, query: 'label_values(chk_requests_total,code)', refId: 'v' }])));
  assert.deepEqual(texts(answer.data), ['200', '500']);
});
check('ad hoc filters: keys and values', async () => {
  const keys = texts(await ds.getTagKeys({ filters: [{ key: 'job', operator: '=', value: 'chk' }], timeRange: range }));
  assert.ok(keys.includes('code') && !keys.includes('job'), keys.join());
  assert.deepEqual(texts(await ds.getTagValues({ key: 'code', filters: [{ key: 'path', operator: '=', value: '/a' }], timeRange: range })), ['200', '500']);
});
check('panel: range', async () => {
  const got = await frames(ds, [{ expr: 'chk_gauge{k="x"}' }]);
  assert.equal(got.length, 1);
  assert.ok(values(got[0]).length >= 115 && values(got[0]).every((v) => v === 42));
  assert.deepEqual(got[0].fields[1].labels.k, 'x');
});
check('panel: rate over $__rate_interval, legend', async () => {
  const got = await frames(ds, [{ expr: 'rate(chk_requests_total{job="$job"}[$__rate_interval])', legendFormat: 'code {{code}}' }]);
  assert.equal(got.length, 2);
  const rate = { 200: 0.6, 500: 0.2 };
  for (const f of got) assert.ok(values(f).every((v) => Math.abs(v - rate[f.fields[1].labels.code]) < 1e-9), String(values(f).slice(0, 3)));
});
check('panel: instant as a table', async () => {
  const got = await frames(ds, [{ expr: 'chk_requests_total', instant: true, range: false, format: 'table' }]);
  assert.equal(got.length, 1);
  const column = (name) => Array.from(got[0].fields.find((f) => f.name === name).values);
  assert.deepEqual(column('code').sort(), ['200', '500']);
});
check('panel: stat of odd values', async () => {
  const got = await frames(ds, [{ expr: '{__name__=~"chk_(nan|inf|ninf)"}', instant: true, range: false }]);
  const by = Object.fromEntries(got.map((f) => [f.fields[1].labels.__name__, values(f)[0]]));
  assert.ok(Number.isNaN(by.chk_nan) && by.chk_inf === Infinity && by.chk_ninf === -Infinity, JSON.stringify(by));
});
check('panel: labels of odd characters', async () => {
  const [f] = await frames(ds, [{ expr: 'chk_esc', instant: true, range: false }]);
  assert.equal(f.fields[1].labels.v, 'a"b\\c\nd \u00e9 \u6f22');
});
check('panel: heatmap', async () => {
  const got = await frames(ds, [{ expr: 'sum by (le) (increase(chk_latency_seconds_bucket[$__rate_interval]))', format: 'heatmap', legendFormat: '{{le}}' }]);
  const names = got.flatMap((f) => f.fields.slice(1).map((x) => x.name ?? x.config.displayName));
  assert.equal(names.length, 4, names.join());
  const last = got.flatMap((f) => f.fields.slice(1).map((x) => x.values[x.values.length - 1]));
  const total = last.reduce((a, b) => a + b, 0);
  assert.ok(last.every((v) => v > 0) && Math.abs(last[0] / total - 0.2) < 1e-6, last.join()); // 1, 2, 1 and 1 of 5
});
check('Explore: range, instant and exemplars', async () => {
  const got = await frames(ds, [{ expr: 'chk_latency_seconds_bucket', instant: true, range: true, exemplar: true }], { app: 'explore' });
  const kinds = got.map((f) => f.meta.custom.resultType);
  assert.ok(kinds.includes('matrix') && kinds.includes('vector') && kinds.includes('exemplar'), kinds.join());
  const exemplar = got.find((f) => f.meta.custom.resultType === 'exemplar');
  assert.deepEqual(Array.from(exemplar.fields.find((f) => f.name === 'trace_id').values), ['abc146']);
});
check('several queries at once, one of them broken', async () => {
  const answer = await lastValueFrom(ds.query(query([{ expr: 'up' }, { expr: 'sum(' }])));
  assert.ok(answer.data.length === 1 && values(answer.data[0]).every((v) => v === 1));
  const text = JSON.stringify(answer.errors ?? answer.error);
  assert.ok(text.includes('bad_data: invalid parameter') && text.includes('1:5: parse error'), text);
});
check('annotations', async () => {
  const annotation = ds.annotations.prepareAnnotation({ name: 'a', expr: 'chk_gauge == 42', step: '60s', titleFormat: 'at {{k}}', tagKeys: 'k' });
  const got = await frames(ds, [{ ...annotation.target, range: true }]);
  const events = await lastValueFrom(ds.annotations.processEvents(annotation, got));
  assert.ok(events.length >= 1 && events[0].title === 'at x' && events[0].tags.includes('x'), JSON.stringify(events).slice(0, 300));
});
check('incremental queries: a second refresh asks for the tail and agrees', async () => {
  const { ds: inc, backend } = source({ incrementalQuerying: true, incrementalQueryOverlapWindow: '1m' });
  const relative = (to) => ({ range: { from: time(to - 600), to: time(to), raw: { from: 'now-10m', to: 'now' } }, rangeRaw: { from: 'now-10m', to: 'now' }, dashboardUID: 'd' });
  await frames(inc, [{ expr: 'chk_requests_total' }], relative(E - 20));
  const merged = await frames(inc, [{ expr: 'chk_requests_total' }], relative(E));
  const starts = backend.requests.filter((r) => r.includes('query_range')).map((r) => Number(/start=(\d+)/.exec(r)[1]));
  assert.ok(starts.length === 2 && starts[1] - starts[0] > 400, starts.join());
  const whole = await frames(source().ds, [{ expr: 'chk_requests_total' }], relative(E));
  for (const f of whole) {
    const g = merged.find((m) => m.fields[1].labels.code === f.fields[1].labels.code);
    const at = new Map(values(g, 0).map((t, i) => [t, values(g)[i]]));
    assert.ok(values(f, 0).every((t, i) => at.get(t) === values(f)[i]), 'a step differs');
  }
});
check('query parameters of the data source, statistics', async () => {
  const { ds: custom, backend } = source({ customQueryParameters: 'max_source_resolution=5m&nocache=1&stats=all' });
  assert.deepEqual(await custom.languageProvider.queryLabelValues(range, 'k', '{job="chk"}'), ['x', 'y']);
  assert.ok(backend.requests.some((r) => r.includes('max_source_resolution')), backend.requests.join('\n'));
});
check('series endpoint, for old versions', async () => {
  const { ds: old, backend } = source({ seriesEndpoint: true });
  await old.languageProvider.start(range);
  assert.ok(old.languageProvider.retrieveMetrics().includes('chk_gauge'));
  assert.deepEqual(await old.languageProvider.queryLabelValues(range, 'k', '{job="chk"}'), ['x', 'y']);
  assert.ok(backend.requests.some((r) => r.includes('api/v1/series')));
});
check('type and version as older Grafanas detect them', async () => {
  const build = await (await fetch(`${url}/api/v1/status/buildinfo`)).json();
  const { ds: detected, backend } = source({ prometheusType: 'Prometheus', prometheusVersion: build.data.version });
  await detected.languageProvider.start(range);
  assert.ok(detected.languageProvider.retrieveMetrics().includes('chk_gauge'));
  assert.deepEqual(await detected.languageProvider.queryLabelValues(range, 'code', '{job="chk"}'), ['200', '500']);
  assert.deepEqual(await detected.languageProvider.queryLabelKeys(range, '{__name__="chk_gauge"}'), ['__name__', 'instance', 'job', 'k']);
  assert.ok(!backend.requests.some((r) => r.includes('api/v1/series')), 'as a version that has no label queries');
});
check('Search API', async () => {
  const { ds: searching, backend } = source({ enableSearchApi: true });
  assert.equal(searching.languageProvider.hasSearchSupport(), true);
  const names = await searching.languageProvider.queryLabelValues(range, '__name__', undefined, 100);
  assert.ok(names.includes('chk_gauge'), names.join());
  assert.ok(backend.requests.some((r) => r.includes('api/v1/search/')), backend.requests.join('\n'));
  assert.equal(searching.languageProvider.hasSearchSupport(), true, 'it did not fall back');
});
check('query builder: a query becomes a visual one and back', async () => {
  const text = 'sum by(code) (rate(chk_requests_total{job="chk"}[5m]))';
  const { query: visual, errors } = prom.buildVisualQueryFromString(text);
  assert.deepEqual(errors, []);
  const again = new prom.PromQueryModeller().renderQuery(visual);
  const got = await frames(ds, [{ expr: again, instant: true, range: false }]);
  assert.deepEqual(got.map((f) => f.fields[1].labels.code).sort(), ['200', '500']);
});
check('Explore: a filter is added to a query', async () => {
  const changed = ds.modifyQuery({ refId: 'A', expr: 'chk_requests_total' }, { type: 'ADD_FILTER', options: { key: 'code', value: '500' } });
  const got = await frames(ds, [{ ...changed, instant: true, range: false }]);
  assert.deepEqual(got.map((f) => f.fields[1].labels.code), ['500']);
});
check('query hints see a counter', async () => {
  const answer = await frames(ds, [{ expr: 'chk_requests_total' }]);
  const hints = ds.getQueryHints({ refId: 'A', expr: 'chk_requests_total' }, answer);
  assert.ok(hints.some((h) => /rate/.test(h.label + (h.fix?.label ?? ''))), JSON.stringify(hints));
});
runAll();

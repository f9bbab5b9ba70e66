// A dashboard of @grafana/scenes over the same data source: variables are asked first, then the panels that use them.
// `node scenes.cjs URL S E`, data as for grafana.cjs.
'use strict';
require('./browser.cjs');
const { map } = require('rxjs');
const { assert, check, runAll } = require('./checks.cjs');
const { Backend } = require('./backend.cjs');
const data = require('@grafana/data');
const runtime = require('@grafana/runtime');
const prom = require('@grafana/prometheus');
const scenes = require('@grafana/scenes');

const [url, S, E] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const settings = { httpMethod: 'POST', timeInterval: '5s' };
const backend = new Backend(url, settings);
runtime.setBackendSrv(backend.service());
runtime.setTemplateSrv({ getVariables: () => [], containsTemplate: (t) => /\$/.test(t ?? ''), updateTimeRange() {}, getAdhocFilters: () => [],
  replace: (text, scoped, format) => scenes.sceneGraph.interpolate(scoped?.__sceneObject?.value?.valueOf() ?? panel, text, scoped, format) });
const instance = { id: 1, uid: 'varve', type: 'prometheus', name: 'varve', access: 'proxy', url: '', meta: { id: 'prometheus' }, jsonData: settings };
let panel;
const ds = new prom.PrometheusDatasource(instance, runtime.getTemplateSrv());
runtime.setDataSourceSrv({ get: async () => ds, getInstanceSettings: () => instance, getList: () => [instance] });
runtime.setRunRequest((source, request, query) => (query ? query(request) : source.query(request)).pipe(map((answer) => ({
  state: answer.error || answer.errors?.length ? data.LoadingState.Error : data.LoadingState.Done,
  series: query ? answer.data : answer.data.map((f) => data.toDataFrame(f)), errors: answer.errors, error: answer.error, annotations: [], timeRange: request.range, request }))));
const source = { uid: 'varve', type: 'prometheus' };

function dashboard(query, variables) {
  const iso = (s) => new Date(s * 1000).toISOString();
  panel = new scenes.SceneQueryRunner({ datasource: source, queries: [{ refId: 'A', expr: query, range: true }], maxDataPoints: 500 });
  const scene = new scenes.EmbeddedScene({
    $timeRange: new scenes.SceneTimeRange({ from: iso(S), to: iso(E), timeZone: 'utc' }),
    $variables: new scenes.SceneVariableSet({ variables }),
    $data: panel,
    body: new scenes.SceneFlexLayout({ children: [] }),
  });
  const off = scene.activate();
  return { scene, off };
}

async function loaded(object, test) {
  for (let i = 0; i < 400; i++) {
    if (test(object.state)) return object.state;
    await new Promise((go) => setTimeout(go, 25));
  }
  throw new Error(`not loaded: ${JSON.stringify(object.state.data ?? object.state.options ?? null)?.slice(0, 500)}`);
}

const variable = (name, query, more = {}) => new scenes.QueryVariable({ name, datasource: source, query: { query, refId: name, qryType: 1 }, refresh: 2, ...more });

check('a variable of label values', async () => {
  const job = variable('job', 'label_values(up, job)');
  const { off } = dashboard('up{job="$job"}', [job]);
  const { options, value } = await loaded(job, (s) => s.options.length > 0);
  assert.deepEqual(options.map((o) => o.value), ['chk']);
  assert.equal(value, 'chk');
  off();
});
check('a panel waits for its variables and uses them', async () => {
  const job = variable('job', 'label_values(up, job)');
  const code = variable('code', 'label_values(chk_requests_total{job="$job"}, code)', { isMulti: true, includeAll: true, value: ['200', '500'], text: ['200', '500'] });
  const { off } = dashboard('sum by (code) (rate(chk_requests_total{job="$job", code=~"$code"}[$__rate_interval]))', [job, code]);
  const { data: answer } = await loaded(panel, (s) => s.data?.state === 'Done' && s.data.series.length > 0);
  assert.deepEqual(answer.series.map((f) => f.fields[1].labels.code).sort(), ['200', '500']);
  const rates = Object.fromEntries(answer.series.map((f) => [f.fields[1].labels.code, Array.from(f.fields[1].values).at(-1)]));
  assert.ok(Math.abs(rates[200] - 0.6) < 1e-9 && Math.abs(rates[500] - 0.2) < 1e-9, JSON.stringify(rates));
  const asked = backend.requests.filter((r) => r.includes('query_range')).at(-1);
  assert.ok(decodeURIComponent(asked).includes('code=~"(200|500)"'), asked);
  off();
});
check('a panel of a broken query shows the error', async () => {
  const { off } = dashboard('sum(', []);
  const { data: answer } = await loaded(panel, (s) => s.data?.state === 'Error');
  assert.match(JSON.stringify(answer.errors), /parse error/);
  off();
});
check('ad hoc filters apply to panels', async () => {
  const filters = new scenes.AdHocFiltersVariable({ name: 'Filters', datasource: source, applyMode: 'auto', filters: [{ key: 'code', operator: '=', value: '500' }] });
  const { off } = dashboard('chk_requests_total', [filters]);
  const { data: answer } = await loaded(panel, (s) => s.data?.state === 'Done');
  assert.deepEqual(answer.series.map((f) => f.fields[1].labels.code), ['500']);
  off();
});
runAll();

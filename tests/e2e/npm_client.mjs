// Run by test_peers_npm.py: prometheus-query (npm) asks a Varve. `node npm_client.mjs URL END`, modules below the current folder.
import { createRequire } from 'node:module';

const { PrometheusDriver } = createRequire(process.cwd() + '/')('prometheus-query');
const [url, end] = [process.argv[2], Number(process.argv[3])];
const out = {};
for (const [way, preferPost] of [['get', false], ['post', true]]) {
  const p = new PrometheusDriver({ endpoint: url, preferPost, timeout: 30000 });
  const rows = (r) => r.result.map((s) => ({
    metric: { ...s.metric.labels, __name__: s.metric.name },
    values: (s.values ?? [s.value]).map((v) => [v.time.getTime(), v.value]),
  }));
  const o = (out[way] = {});
  o.instant = rows(await p.instantQuery('peer_requests_total', end * 1000));
  o.range = rows(await p.rangeQuery('peer_requests_total', (end - 600) * 1000, end * 1000, 15));
  o.series = (await p.series('peer_gauge', (end - 600) * 1000, end * 1000)).map((m) => ({ ...m.labels, __name__: m.name }));
  o.labels = await p.labelNames('peer_seconds_bucket');
  o.values = await p.labelValues('le');
  o.rules = await p.rules();
  o.alerts = await p.alerts();
  o.alertmanagers = await p.alertmanagers();
  o.targets = await p.targets('any');
  o.metadata = await p.metadata();
  o.config = await p.status();
  o.flags = Object.keys(await p.statusFlags());
  o.buildinfo = Object.keys(await p.statusBuildinfo()).sort();
  o.runtime = Object.keys(await p.statusRuntimeInfo());
  o.tsdb = Object.keys(await p.statusTSDB());
  try {
    await p.instantQuery('sum(');
  } catch (e) {
    o.error = JSON.stringify(e);
  }
}
console.log(JSON.stringify(out));

// Run by test_exporters_npm.py: prom-client (npm) as exporter. `node npm_exporter.mjs PORT`, modules below the current folder:
// /metrics is text 0.0.4, /openmetrics is OpenMetrics with exemplars.
import { createRequire } from 'node:module';
import { createServer } from 'node:http';

const prom = createRequire(process.cwd() + '/')('prom-client');
const registries = {};
for (const [path, type] of [
  ['/metrics', prom.Registry.PROMETHEUS_CONTENT_TYPE],
  ['/openmetrics', prom.Registry.OPENMETRICS_CONTENT_TYPE],
]) {
  const open = path === '/openmetrics';
  const r = (registries[path] = new prom.Registry());
  r.setContentType(type);
  r.setDefaultLabels({ app: 'shop "é"\\' });
  const registers = [r], enableExemplars = open;
  const orders = new prom.Counter({ name: open ? 'orders' : 'orders_total', help: 'Orders.\nTwo lines, a \\.', labelNames: ['way', 'code'], registers, enableExemplars });
  const took = new prom.Histogram({ name: 'took_seconds', help: 'Time.', labelNames: ['way'], buckets: [0.1, 1, 2.5, 10], registers, enableExemplars });
  const size = new prom.Summary({ name: 'size_bytes', help: 'Size.', percentiles: [0.01, 0.5, 0.999], registers });
  const open_carts = new prom.Gauge({ name: 'carts', help: 'Carts.', registers });
  const odd = new prom.Gauge({ name: 'odd', help: 'Odd values.', labelNames: ['v'], registers });
  const exemplarLabels = { trace_id: 'abc123', span_id: 'é' };
  for (const way of ['web', 'a\nb', 'c"d', 'e\\f']) {
    if (open) {
      orders.inc({ labels: { way, code: 200 }, value: 3, exemplarLabels });
      took.observe({ labels: { way }, value: 0.25, exemplarLabels });
      took.observe({ labels: { way }, value: 99, exemplarLabels: { trace_id: 'slow' } });
    } else {
      orders.inc({ way, code: 200 }, 3);
      took.observe({ way }, 0.25);
      took.observe({ way }, 99);
    }
  }
  for (const v of [1, 2, 3, 1e6, 0.5]) size.observe(v);
  open_carts.set(-1.5);
  odd.set({ v: 'nan' }, NaN);
  odd.set({ v: 'inf' }, Infinity);
  odd.set({ v: '-inf' }, -Infinity);
  odd.set({ v: 'tiny' }, 5e-324);
  odd.set({ v: 'large' }, 1.7976931348623157e308);
  odd.set({ v: 'long' }, 0.1 + 0.2);
  prom.collectDefaultMetrics({ register: r });
}
createServer(async (request, response) => {
  const r = registries[request.url.split('?')[0]];
  if (r === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader('Content-Type', r.contentType);
  response.end(await r.metrics());
}).listen(Number(process.argv[2]), '127.0.0.1');

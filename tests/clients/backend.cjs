// The part of Grafana's server between its front end and a Prometheus, as far as queries need it: resources are passed
// on, /api/ds/query becomes queries with an aligned range and answers become data frames.
'use strict';
const { from } = require('rxjs');

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS = [1, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000, 20000, 30000, ...[1, 2, 5, 10, 15, 20, 30].map((m) => m * MINUTE),
  ...[1, 2, 3, 6, 12].map((h) => h * HOUR), ...[1, 7, 30, 365].map((d) => d * DAY)];
const UNITS = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY };

function toMs(text) {
  return [...String(text).matchAll(/(\d+)(ms|[smhd])/g)].reduce((sum, [, n, unit]) => sum + n * UNITS[unit], 0);
}

// As Go prints a duration: 1m0s.
function goDuration(ms) {
  const h = Math.floor(ms / HOUR), m = Math.floor((ms % HOUR) / MINUTE), s = (ms % MINUTE) / SECOND;
  return (h ? `${h}h` : '') + (h || m ? `${m}m` : '') + `${s}s`;
}

function shortDuration(ms) {
  const unit = ['d', 'h', 'm', 's'].find((u) => ms % UNITS[u] === 0 && ms >= UNITS[u]);
  return unit ? `${ms / UNITS[unit]}${unit}` : `${ms}ms`;
}

class Backend {
  constructor(url, settings) {
    this.url = url;
    this.settings = settings;
    this.requests = [];
  }

  async call(method, path, params, body, headers = {}) {
    const query = new URLSearchParams(params ?? {}).toString();
    const target = `${this.url}/${path}${query ? (path.includes('?') ? '&' : '?') + query : ''}`;
    this.requests.push(`${method} /${path}${query ? '?' + query : ''}${body ? ' ' + body : ''}`);
    return fetch(target, { method, body: method === 'GET' ? undefined : body, headers: { 'User-Agent': 'Grafana/13.0.0', ...headers } });
  }

  async api(path, form) {
    const answer = this.settings.httpMethod === 'GET'
      ? await this.call('GET', `api/v1/${path}`, form)
      : await this.call('POST', `api/v1/${path}`, null, new URLSearchParams(form).toString(), { 'Content-Type': 'application/x-www-form-urlencoded' });
    const json = await answer.json();
    if (json.status !== 'success') throw Object.assign(new Error(`${json.errorType}: ${json.error}`), { status: answer.status });
    return json;
  }

  step(q, spanMs) {
    const scrape = toMs(this.settings.timeInterval ?? '15s');
    const least = q.interval ? toMs(q.interval) : q.intervalMs || scrape;
    const wanted = spanMs / (q.maxDataPoints || 100);
    const ideal = wanted < least ? least : STEPS.reduce((a, b) => (Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a));
    return Math.max(ideal, spanMs / 11000) * (q.intervalFactor || 1);
  }

  expand(q, stepMs, spanMs) {
    const scrape = toMs(this.settings.timeInterval ?? '15s');
    const rate = Math.max(stepMs + scrape, 4 * scrape);
    const values = { __rate_interval_ms: rate, __rate_interval: goDuration(rate), __interval_ms: stepMs, __interval: shortDuration(stepMs),
      __range_ms: spanMs, __range_s: Math.round(spanMs / 1000), __range: `${Math.round(spanMs / 1000)}s` };
    return q.expr.replace(/\$\{?(__[a-z_]+)\}?/g, (whole, name) => values[name] ?? whole);
  }

  async runQuery(q, fromMs, toMs_) {
    const stepMs = this.step(q, toMs_ - fromMs);
    const query = this.expand(q, stepMs, toMs_ - fromMs);
    const align = (ms) => (Math.floor(ms / stepMs) * stepMs) / 1000;
    const range = { query, start: align(fromMs), end: align(toMs_), step: stepMs / 1000 };
    const frames = [];
    if (q.range || !q.instant) frames.push(...this.frames(q, await this.api('query_range', range), range));
    if (q.instant) frames.push(...this.frames(q, await this.api('query', { query, time: toMs_ / 1000 }), range));
    if (q.exemplar) frames.push(...exemplarFrames(q, await this.api('query_exemplars', { query, start: range.start, end: range.end })));
    return { status: 200, frames };
  }

  frames(q, answer, range) {
    const { resultType, result } = answer.data;
    const meta = { type: resultType === 'matrix' ? 'timeseries-multi' : 'numeric-multi', custom: { resultType }, executedQueryString: `Expr: ${range.query}\nStep: ${range.step}s`,
      notices: [...(answer.warnings ?? []), ...(answer.infos ?? [])].map((text) => ({ severity: 'warning', text })) };
    const rows = resultType === 'scalar' || resultType === 'string' ? [{ metric: {}, value: result }] : result;
    return rows.map((row) => ({
      schema: { refId: q.refId, meta, fields: [
        { name: 'Time', type: 'time', typeInfo: { frame: 'time.Time' }, config: { interval: range.step * 1000 } },
        { name: row.metric.__name__ ?? 'Value', type: 'number', typeInfo: { frame: 'float64' }, labels: row.metric, config: { displayNameFromDS: q.legendFormat && q.legendFormat !== '__auto' ? q.legendFormat : undefined } },
      ] },
      data: { values: [(row.values ?? [row.value]).map(([t]) => Math.trunc(t * 1000)), (row.values ?? [row.value]).map(([, v]) => Number(v.replace('Inf', 'Infinity')))] },
    }));
  }

  async dsQuery(body) {
    const results = {};
    for (const q of body.queries) {
      try {
        results[q.refId] = await this.runQuery(q, Number(body.from), Number(body.to));
      } catch (e) {
        results[q.refId] = { status: e.status ?? 500, error: e.message, frames: [] };
      }
    }
    return { status: 200, data: { results } };
  }

  async health() {
    const { data } = await this.api('query', { query: '1+1', time: 4 });
    const ok = data.resultType === 'scalar' && data.result[1] === '2';
    const build = await (await this.call('GET', 'api/v1/status/buildinfo')).json();
    return { status: 200, data: { status: ok ? 'OK' : 'ERROR', message: ok ? 'Successfully queried the Prometheus API.' : 'unexpected answer',
      details: { application: Object.keys(build.data.features ?? {}).length ? 'Mimir' : 'Prometheus', version: build.data.version } } };
  }

  async serve(req) {
    if (req.url.startsWith('/api/ds/query')) return this.dsQuery(req.data);
    if (req.url.endsWith('/health')) return this.health();
    const path = req.url.replace(/^\/?api\/datasources\/(uid|proxy\/uid)\/[^/]+\/(resources\/)?/, '');
    const body = req.data === undefined ? undefined : typeof req.data === 'string' ? req.data : new URLSearchParams(req.data).toString();
    const answer = await this.call(req.method ?? 'GET', path.replace(/^\//, ''), req.params, body,
      req.method === 'POST' ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {});
    const text = await answer.text();
    let data = text;
    try {
      data = JSON.parse(text);
    } catch {
      // not JSON: the front end shall see it so
    }
    return { status: answer.status, data };
  }

  // What runtime.setBackendSrv() takes.
  service() {
    const run = async (req) => {
      const answer = await this.serve(req);
      const out = { ...answer, ok: answer.status < 300, statusText: '', headers: new Headers(), redirected: false, type: 'basic', url: req.url, config: req };
      if (!out.ok) throw out;
      return out;
    };
    return {
      fetch: (req) => from(run(req)),
      chunked: (req) => from(this.stream(req)),
      get: async (url, params) => (await run({ url, method: 'GET', params })).data,
      post: async (url, data) => (await run({ url, method: 'POST', data })).data,
    };
  }

  // Pieces of a streamed answer, as backendSrv.chunked() hands them on.
  async *stream(req) {
    const path = req.url.replace(/^\/?api\/datasources\/(uid|proxy\/uid)\/[^/]+\/(resources\/)?/, '').replace(/^\//, '');
    const answer = await this.call(req.method ?? 'GET', path, req.params);
    const head = { status: answer.status, statusText: '', ok: answer.ok, headers: answer.headers, url: req.url, type: 'basic', redirected: false, config: req };
    for await (const piece of answer.body) yield { ...head, data: piece };
    yield { ...head, data: undefined };
  }
}

function exemplarFrames(q, answer) {
  const rows = answer.data.flatMap((s) => s.exemplars.map((e) => ({ ...s.seriesLabels, ...e.labels, Value: Number(e.value), Time: Math.trunc(e.timestamp * 1000) })));
  if (rows.length === 0) return [];
  const names = [...new Set(rows.flatMap(Object.keys))].filter((n) => n !== 'Time' && n !== 'Value');
  const field = (name, type, frame) => ({ name, type, typeInfo: { frame } });
  return [{
    schema: { refId: q.refId, name: 'exemplar', meta: { custom: { resultType: 'exemplar' }, dataTopic: 'annotations' },
      fields: [field('Time', 'time', 'time.Time'), field('Value', 'number', 'float64'), ...names.map((n) => field(n, 'string', 'string'))] },
    data: { values: [rows.map((r) => r.Time), rows.map((r) => r.Value), ...names.map((n) => rows.map((r) => r[n] ?? ''))] },
  }];
}

module.exports = { Backend, toMs };

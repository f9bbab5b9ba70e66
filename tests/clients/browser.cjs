// What Grafana's libraries expect of a browser, for node: a document, and stubs for what draws.
'use strict';
const { JSDOM } = require('jsdom');
const Module = require('node:module');

const dom = new JSDOM('<!doctype html><body></body>', { url: 'http://localhost/', pretendToBeVisual: true });
const { window } = dom;
for (const name of Object.getOwnPropertyNames(window)) {
  if (!(name in globalThis)) {
    Object.defineProperty(globalThis, name, { get: () => window[name], set: (v) => (window[name] = v), configurable: true });
  }
}
for (const name of ['Event', 'CustomEvent', 'EventTarget', 'navigator']) {
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true, writable: true });
}
class Observer {
  observe() {}
  unobserve() {}
  disconnect() {}
}
globalThis.ResizeObserver = globalThis.IntersectionObserver = window.ResizeObserver = window.IntersectionObserver = Observer;
globalThis.matchMedia = window.matchMedia = () => ({ matches: false, addListener() {}, removeListener() {}, addEventListener() {}, removeEventListener() {} });
globalThis.devicePixelRatio = 1;
globalThis.grafanaBootData = window.grafanaBootData = {
  settings: { buildInfo: { version: '13.0.0' }, featureToggles: {}, datasources: {}, appSubUrl: '' },
  user: { orgId: 1, timezone: 'utc' },
  navTree: [],
};

// The code editor draws and needs a bundler; nothing here looks at it.
const editor = new Proxy(function () {}, { get: (_, key) => (key === '__esModule' ? true : editor) });
const load = Module._load;
Module._load = function (request, ...rest) {
  if (/^monaco-(editor|promql)/.test(request)) return editor;
  if (/\.(css|scss|svg|png)$/.test(request)) return {};
  return load.call(this, request, ...rest);
};

// They want a registry of loggers that only Grafana's start-up makes.
const warn = console.warn;
console.warn = (...args) => (String(args[0]).startsWith('LoggerRegistry:') ? undefined : warn(...args));

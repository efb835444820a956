// A stand-in for `mutu serve` while working on the page: the HTTP answers of the contract over made-up layers, and the built
// page under the strict headers it must live with. Not a reference: it understands just the filters that the page sends.
// Run: node tests/e2e/mock/server.mjs [port]; MUTU_MOCK_DATA names another module of data, MUTU_MOCK_MAX a smaller page.

import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const { boxOf, LAYERS, TARGETS } = await import(process.env.MUTU_MOCK_DATA ?? './data.mjs');

const DIST = fileURLToPath(new URL('../../../web/dist/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
export const CSP = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; img-src 'self' data:; worker-src 'self'";
const UNITS = { m2: [1, 2], mu: [2000 / 3, 2], ha: [10_000, 4], km2: [1_000_000, 6] };

/** A test of features for `a = 'x' AND (b IN ('y','z') OR b IS NULL)`. */
function testOf(filter) {
  if (!filter) return () => true;
  const tests = filter.split(' AND ').map((part) => {
    const any = part.replace(/^\((.*)\)$/, '$1').split(' OR ').map((one) => {
      const nothing = /^(\w+) IS NULL$/.exec(one);
      if (nothing) return (p) => p[nothing[1]] === null || p[nothing[1]] === undefined;
      const parts = /^(\w+) (?:= (.+)|IN \((.+)\))$/.exec(one);
      if (!parts) throw new Error(`filter not understood: ${one}`);
      const values = (parts[2] ? [parts[2]] : parts[3].split(/,\s*/)).map((value) => value.replace(/^'(.*)'$/, '$1'));
      return (p) => values.includes(String(p[parts[1]] ?? ''));
    });
    return (p) => any.some((test) => test(p));
  });
  return (p) => tests.every((test) => test(p));
}

function chosen(layer, query) {
  const test = testOf(query.get('filter'));
  const box = query.get('bbox')?.split(',').map(Number);
  return layer.features.filter((feature) => {
    if (!test(feature.properties)) return false;
    if (!box) return true;
    const [w, s, e, n] = boxOf([feature]);
    return w <= box[2] && e >= box[0] && s <= box[3] && n >= box[1];
  });
}

function items(id, layer, query, url) {
  const all = chosen(layer, query);
  const limit = Math.min(Number(query.get('limit') ?? 1000), Number(process.env.MUTU_MOCK_MAX ?? 10_000));
  const from = Number(query.get('after') ?? 0);
  const features = all.slice(from, from + limit);
  const links = [];
  if (from + limit < all.length) {
    const next = new URL(url);
    next.searchParams.set('after', String(from + limit));
    links.push({ rel: 'next', href: next.href });
  }
  return { type: 'FeatureCollection', features, numberMatched: all.length, numberReturned: features.length, timeStamp: '2026-11-21T00:00:00Z', links };
}

/** Parts that sum to the printed total: each is rounded, the largest takes what is left over. */
function statistics(id, layer, query) {
  const unit = query.get('unit') ?? 'mu';
  const [size, decimals] = UNITS[unit];
  const by = query.get('group-by')?.split(',') ?? [];
  const features = chosen(layer, query);
  const scale = 10 ** decimals;
  const groups = new Map();
  for (const { properties } of features) {
    const key = JSON.stringify(Object.fromEntries(by.map((name) => [name, properties[name] ?? null])));
    const group = groups.get(key) ?? { count: 0, m2: 0 };
    group.count += 1;
    group.m2 += properties.area_m2 ?? 0;
    groups.set(key, group);
  }
  const m2 = [...groups.values()].reduce((sum, group) => sum + group.m2, 0);
  const total = Math.round((m2 / size) * scale);
  const rows = [...groups].map(([key, group]) => ({ key: JSON.parse(key), count: group.count, steps: Math.round((group.m2 / size) * scale), share: m2 > 0 ? Number((group.m2 / m2).toFixed(4)) : 0 }));
  rows.sort((a, b) => b.steps - a.steps);
  if (rows[0]) rows[0].steps += total - rows.reduce((sum, row) => sum + row.steps, 0);
  return {
    layer: id, basis: 'ellipsoidal', unit, decimals, asOf: '2026-11-21', definition: { zh: '全部要素，重叠只计一次', en: 'All features, overlaps counted once' },
    groups: by.length === 0 ? [] : rows.map(({ key, count, steps, share }) => ({ key, count, area: steps / scale, share })),
    total: { count: features.length, area: total / scale }, overlap: { area: 0, pairs: 0 },
  };
}

function targets() {
  return TARGETS.map((target) => {
    const measured = statistics(target.layer, LAYERS.get(target.layer), new URLSearchParams({ unit: target.unit, filter: target.filter }));
    const { decimals } = measured;
    const { area, count } = measured.total;
    return { ...target, measured: { basis: 'ellipsoidal', unit: target.unit, area: area.toFixed(decimals), count, share: Number((area / target.value).toFixed(4)), remaining: Math.max(0, target.value - area).toFixed(decimals) } };
  });
}

function answer(url) {
  const [, first, id, third, fid] = url.pathname.split('/').map(decodeURIComponent);
  if (first === 'targets') return { targets: targets() };
  if (first === 'facts') return { facts: [] };
  if (first === 'health') return { status: 'ok' };
  if (first !== 'collections') return null;
  if (!id) return { collections: [...LAYERS.values()].map((layer) => layer.collection), links: [] };
  const layer = LAYERS.get(id);
  if (!layer) return null;
  if (!third) return layer.collection;
  if (third === 'schema') return layer.schema;
  if (third === 'statistics') return statistics(id, layer, url.searchParams);
  if (third === 'items' && fid) return layer.features.find((feature) => String(feature.id) === fid) ?? null;
  return third === 'items' ? items(id, layer, url.searchParams, url) : null;
}

function send(response, status, body) {
  const type = status === 200 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'content-type': type, 'x-request-id': 'mock-1' }).end(JSON.stringify(body));
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
  const page = url.pathname === '/' || url.pathname.startsWith('/assets/') || url.pathname === '/icon.svg';
  if (page) {
    const file = join(DIST, normalize(url.pathname === '/' ? 'index.html' : url.pathname));
    if (!file.startsWith(DIST) || !existsSync(file)) return send(response, 404, { title: 'not found', status: 404 });
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': CSP, 'x-content-type-options': 'nosniff' });
    return createReadStream(file).pipe(response);
  }
  try {
    const body = answer(url);
    return body ? send(response, 200, body) : send(response, 404, { type: 'about:blank', title: 'not found', detail: `there is nothing at ${url.pathname}`, status: 404, code: 'not-found', request_id: 'mock-1' });
  } catch (fault) {
    return send(response, 400, { type: 'about:blank', title: 'bad request', detail: String(fault), status: 400, code: 'bad-filter', request_id: 'mock-1' });
  }
});
server.listen(Number(process.argv[2] ?? 8099), '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));

// MapLibre draws the server's tiles with the server's styles: what it has on the screen is what a query of items answers.

import assert from 'node:assert/strict';
import { after, before as beforeAll, test } from 'node:test';
import { api, openBrowser, openPage, settled, shot } from './browser.mjs';

let browser;
beforeAll(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

/** A second map beside the page's own, with a style of the server; what it draws of some style layers, and its box in degrees. */
const draw = (page, { style, center, zoom, layers }) =>
  page.evaluate(
    async ({ style, center, zoom, layers }) => {
      const container = document.createElement('div');
      Object.assign(container.style, { position: 'fixed', inset: '0', zIndex: '1000' });
      document.body.append(container);
      const MapLibre = globalThis.mutu.map.constructor;
      const map = new MapLibre({ container, style, center, zoom, fadeDuration: 0, attributionControl: false });
      const errors = [];
      map.on('error', (event) => errors.push(String(event.error?.message ?? event.error)));
      await new Promise((resolve) => map.once('idle', resolve));
      const features = map.queryRenderedFeatures({ layers });
      const box = (by) => {
        const [a, b] = [map.unproject([-by, container.clientHeight + by]), map.unproject([container.clientWidth + by, -by])];
        return [a.lng, a.lat, b.lng, b.lat];
      };
      const told = features.map(({ id, properties, geometry }) => ({ id, properties, kind: geometry.type }));
      return { told, inner: box(-2), outer: box(2), errors, sources: Object.keys(map.getStyle().sources) };
    },
    { style, center, zoom, layers },
  );

const idsIn = async (layer, box) => {
  const page = await api(`/collections/${layer}/items?limit=10000&bbox=${box.join(',')}`);
  assert.equal(page.numberMatched, page.numberReturned);
  return page.features;
};

async function onPage(steps) {
  const { page, account } = await openPage(browser);
  try {
    await settled(page);
    await steps(page);
    assert.deepEqual({ ...account, failed: account.failed }, { errors: [], elsewhere: [], failed: [] });
  } finally {
    await page.close();
  }
}

for (const [layer, part, zoom] of [['parcels', 'fill', 13.3], ['parcels', 'fill', 15.2], ['landuse', 'fill', 12.4], ['projects', 'circle', 11]]) {
  test(`MapLibre at zoom ${zoom} has the very features of ${layer} that items has in its box`, async () => {
    const style = `/styles/${layer}`;
    const first = (await api(`/collections/${layer}/items?limit=1`)).features[0];
    let at = first.geometry.coordinates;
    while (Array.isArray(at[0])) at = at[0];
    await onPage(async (page) => {
      const { told, inner, outer, errors } = await draw(page, { style, center: at, zoom, layers: [`${layer}:${part}`] });
      await shot(page, `tiles-${layer}-${zoom}`);
      assert.deepEqual(errors, []);
      const drawn = new Map(told.map((feature) => [feature.id, feature]));
      const [surely, perhaps] = [await idsIn(layer, inner), await idsIn(layer, outer)];
      assert.ok(surely.length > 0, 'the box has features');
      // Within two pixels of the edge of the screen either may be right; a circle reaches in from outside.
      const missing = surely.filter((item) => !drawn.has(item.id)).map((item) => item.id);
      assert.deepEqual(missing, []);
      const around = new Set(perhaps.map((item) => item.id));
      const strangers = part === 'circle' ? [] : [...drawn.keys()].filter((id) => !around.has(id));
      assert.deepEqual(strangers, []);
      for (const item of surely) {
        const { properties } = drawn.get(item.id);
        for (const [name, value] of Object.entries(properties)) {
          if (!name.startsWith('_')) assert.deepEqual(value, item.properties[name], `${name} of ${item.id}`);
        }
      }
    });
  });
}

test('the style of all layers draws them without an error and asks nobody else', async () => {
  await onPage(async (page) => {
    const { collections } = await api('/collections');
    const drawable = collections.filter((collection) => collection.geometry !== 'none');
    const [west, south, east, north] = drawable.find((collection) => collection.id === 'county').extent.spatial.bbox[0];
    const style = await api('/styles/_all?lang=en');
    const layers = style.layers.map((layer) => layer.id).filter((id) => /:(fill|stroke|circle)$/.test(id));
    const center = [(west + east) / 2, (south + north) / 2];
    const { told, errors, sources } = await draw(page, { style, center, zoom: 9.5, layers });
    await shot(page, 'tiles-all');
    assert.deepEqual(errors, []);
    assert.deepEqual(new Set(sources), new Set(drawable.map((collection) => collection.id)));
    assert.ok(told.length > 100);
  });
});

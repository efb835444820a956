// A layer with more features than one answer of items may carry: the map shows all of them, whatever the zoom, and says so of none else.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { api, drawnOf, MUTU, openBrowser, openPage, serve, settled, shot, SIZES } from './browser.mjs';

const [COLUMNS, ROWS] = [120, 100];
const ALL = COLUMNS * ROWS;
const [WEST, SOUTH, PITCH, SIDE] = [112.9, 22.7, 0.0005, 0.0003];
const MIDDLE = [WEST + (COLUMNS * PITCH) / 2, SOUTH + (ROWS * PITCH) / 2];
const KINDS = ['甲', '乙', '丙'];
/** Five points in one place, which no zoom tells apart. */
const STACK = [112.98, 22.72];

const feature = (geometry, properties) => ({ type: 'Feature', geometry, properties });

function square(place) {
  const [west, south] = [WEST + (place % COLUMNS) * PITCH, SOUTH + Math.floor(place / COLUMNS) * PITCH];
  const ring = [[west, south], [west + SIDE, south], [west + SIDE, south + SIDE], [west, south + SIDE], [west, south]];
  return feature({ type: 'Polygon', coordinates: [ring] }, { name: `第${place + 1}块`, kind: KINDS[place % 3] });
}

let browser;
let folder;
let server;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mutu-large-'));
  const workspace = join(folder, 'large.gpkg');
  const layers = {
    squares: Array.from({ length: ALL }, (_, place) => square(place)),
    stack: Array.from({ length: 5 }, (_, place) => feature({ type: 'Point', coordinates: STACK }, { name: `点${place + 1}` })),
  };
  for (const [layer, features] of Object.entries(layers)) {
    const file = join(folder, `${layer}.geojson`);
    writeFileSync(file, JSON.stringify({ type: 'FeatureCollection', features }));
    const imported = spawnSync(MUTU(), ['import', file, '--layer', layer, '--workspace', workspace], { encoding: 'utf8' });
    assert.equal(imported.status, 0, imported.stderr);
  }
  server = await serve(workspace);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const at = (zoom, [lon, lat] = MIDDLE) => `#map=${zoom}/${lat.toFixed(6)}/${lon.toFixed(6)}`;

async function onPage(options, steps) {
  const { page, account } = await openPage(browser, { ...options, base: server.url });
  try {
    await settled(page);
    await steps(page);
    assert.deepEqual(account, { errors: [], elsewhere: [], failed: [] });
  } finally {
    await page.close();
  }
}

async function saysNothing(page) {
  assert.deepEqual(await page.locator('.notice').allInnerTexts(), []);
  assert.doesNotMatch(await page.locator('body').innerText(), /10,?000/);
}

/** Clicks on the map at a place in degrees. */
async function click(page, place) {
  const { x, y } = await page.evaluate((where) => {
    const box = globalThis.mutu.map.getCanvas().getBoundingClientRect();
    const point = globalThis.mutu.map.project(where);
    return { x: box.left + point.x, y: box.top + point.y };
  }, place);
  await page.mouse.click(x, y);
}

for (const [name, size] of Object.entries(SIZES)) {
  test(`at every zoom from far to near enough to hold it, the map has all ${ALL} features (${name})`, async () => {
    const zooms = name === 'wide' ? [7, 9, 10.5, 12.2, 13] : [9, 12];
    for (const zoom of zooms) {
      await onPage({ hash: at(zoom), size }, async (page) => {
        const drawn = await drawnOf(page, 'squares:fill');
        assert.equal(drawn.total, ALL, `at zoom ${zoom}`);
        if (zoom <= 9) assert.ok(drawn.crowds > 0, 'marks stand for several');
        if (zoom >= 12.2) assert.equal(drawn.ids.length, ALL, 'all have shapes of their own');
        await saysNothing(page);
        await shot(page, `large-${name}-${zoom}`);
      });
    }
  });
}

test('near, the map has the very features that items has in its box', async () => {
  await onPage({ hash: at(15.3) }, async (page) => {
    const { ids, crowds } = await drawnOf(page, 'squares:fill');
    const box = (by) =>
      page.evaluate((more) => {
        const { map } = globalThis.mutu;
        const { clientWidth, clientHeight } = map.getCanvas();
        return [map.unproject([-more, clientHeight + more]), map.unproject([clientWidth + more, -more])].flatMap(({ lng, lat }) => [lng, lat]).join();
      }, by);
    const inside = async (by) => (await api(`/collections/squares/items?limit=10000&bbox=${await box(by)}`, server.url)).features.map((item) => item.id);
    const perhaps = new Set(await inside(2));
    assert.equal(crowds, 0);
    assert.ok(ids.length > 100);
    assert.deepEqual((await inside(-2)).filter((id) => !ids.includes(id)), []);
    assert.deepEqual(ids.filter((id) => !perhaps.has(id)), []);
  });
});

test('a filter, and a class that the legend hides, leave the right number in the marks', async () => {
  await onPage({ hash: `${at(9)}&by=squares:kind&filter=squares:kind:甲,squares:kind:乙` }, async (page) => {
    assert.equal((await drawnOf(page, 'squares:fill')).total, (ALL / 3) * 2);
    await page.locator('[data-legend="squares"] [data-class="甲"]').click();
    await settled(page);
    const drawn = await drawnOf(page, 'squares:fill');
    assert.equal(drawn.total, ALL / 3);
    const kinds = await page.evaluate(() => [...new Set(globalThis.mutu.map.queryRenderedFeatures({ layers: ['squares:fill'] }).map((one) => one.properties.kind))]);
    assert.deepEqual(kinds, ['乙']);
  });
});

test('a filter that is set while tiles are under way leaves none of the former features', async () => {
  const { page } = await openPage(browser, { hash: '#layers=stack', base: server.url });
  try {
    await settled(page);
    let begun;
    const held = new Promise((resolve) => { begun = resolve; });
    await page.route('**/collections/squares/tiles/**', async (route) => {
      begun();
      const answer = await route.fetch();
      await page.waitForFunction(() => globalThis.letGo);
      await route.fulfill({ response: answer });
    });
    const place = at(9);
    await page.evaluate((hash) => { location.hash = hash; }, `${place}&layers=squares&by=squares:kind`);
    await held;
    await page.evaluate((hash) => { location.hash = hash; }, `${place}&layers=squares&by=squares:kind&filter=squares:kind:丙`);
    await page.locator('.chips .chip').waitFor();
    await page.evaluate(() => { globalThis.letGo = true; });
    await settled(page);
    assert.equal((await drawnOf(page, 'squares:fill')).total, ALL / 3);
  } finally {
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.close();
  }
});

for (const [lang, words] of [['zh-CN', /：此处有 [\d,]+ 个图斑，放大查看/], ['en', /: [\d,]+ features here, zoom in/]]) {
  test(`a click on a mark of several says how many and goes nearer, until one is met (${lang})`, async () => {
    const [wanted] = (await api(`/collections/squares/items?limit=1&filter=${encodeURIComponent(`name = '第${ALL / 2 + COLUMNS / 2 + 1}块'`)}`, server.url)).features;
    const [corner] = wanted.geometry.coordinates[0];
    const place = [corner[0] + SIDE / 2, corner[1] + SIDE / 2];
    await onPage({ hash: `${at(9, place)}&lang=${lang}` }, async (page) => {
      await click(page, place);
      const panel = page.locator('[data-crowd="squares"]');
      await panel.waitFor();
      assert.match(await panel.innerText(), words);
      // At this zoom a pixel is 141 m of ground and holds some seven squares; a mark is drawn a few pixels wide.
      const count = Number(/[\d,]+ (?=个|features)/.exec(await panel.innerText())[0].trim().replaceAll(',', ''));
      assert.ok(count > 1 && count < 200, `${count} of ${ALL} features under a click`);
      assert.match(await page.locator('[aria-live="polite"]').last().innerText(), words);
      await page.waitForFunction(() => globalThis.mutu.map.getZoom() > 11.9);
      await settled(page);
      await shot(page, `large-crowd-${lang}`);
      await page.evaluate((center) => globalThis.mutu.map.jumpTo({ center, zoom: 16 }), place);
      await settled(page);
      await click(page, place);
      await page.locator(`[data-feature="squares/${wanted.id}"]`).waitFor();
      assert.equal(await panel.count(), 0);
      assert.equal(await page.locator('[data-property="name"]').innerText(), wanted.properties.name);
    });
  });
}

test('features in the very same place are named one by one where the map can go no nearer', async () => {
  await onPage({ hash: at(18.5, STACK) }, async (page) => {
    assert.equal((await drawnOf(page, 'stack:circle')).total, 5);
    await click(page, STACK);
    await page.locator('[data-feature^="stack/"]').waitFor();
    const others = page.locator('nav', { hasText: '此处还有' }).getByRole('button');
    assert.equal(await others.count(), 5);
    await others.filter({ hasText: '#5' }).click();
    await page.locator('[data-feature="stack/5"]').waitFor();
  });
});

test('the table says how many of how many it has', async () => {
  await onPage({ hash: '#table=squares' }, async (page) => {
    assert.match(await page.locator('[data-table="squares"] [role="status"]').innerText(), /500 \/ 12,000/);
  });
});

// What is left when something is missing: no WebGL, no server, a wish for less motion.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { api, axe, BASE, openBrowser, openPage, settled, shot, SIZES } from './browser.mjs';

let browser;
before(async () => {
  browser = await openBrowser();
});
afterEach(async () => {
  for (const page of browser.context.pages().slice(1)) await page.close();
});
after(() => browser?.close());

test('without WebGL the page says so and shows the table and the cards', async () => {
  const plain = await openBrowser({ webgl: false });
  try {
    const { page, account } = await openPage(plain, { size: SIZES.wide });
    await page.getByText('没有 WebGL 2').waitFor();
    await settled(page, { map: false });
    const { targets } = await api('/targets');
    assert.equal(await page.locator('[data-target]').count(), targets.length);
    assert.ok((await page.locator('[data-table] tbody button').count()) > 0, 'the table is empty');
    assert.deepEqual(await axe(page), []);
    await shot(page, 'wide-no-webgl-zh');
    assert.deepEqual(account, { errors: [], elsewhere: [], failed: [] });
  } finally {
    await plain.close();
  }
});

test('a server that does not answer is named, and asking again helps', async () => {
  const page = await browser.context.newPage();
  await page.route('**/collections', (route) => route.abort());
  await page.goto(`${BASE}/`);
  await page.getByText('无法连接服务器').waitFor();
  await shot(page, 'wide-no-server-zh');
  await page.unroute('**/collections');
  await page.getByRole('button', { name: '重试' }).click();
  await page.locator('[data-target]').first().waitFor();
  await settled(page);
});

test('a layer that fails says so on the map and the others stay', async () => {
  const page = await browser.context.newPage();
  const problem = { type: 'about:blank', title: 'unavailable', status: 503, detail: 'the layer is being rebuilt', code: 'busy', request_id: 'r-1' };
  await page.route('**/collections/parcels/tiles/**', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) }));
  await page.goto(`${BASE}/`);
  const { title } = await api('/collections/parcels');
  await page.getByText(`${title} 读取失败：the layer is being rebuilt`).waitFor();
  await page.waitForFunction(() => globalThis.mutu?.map.queryRenderedFeatures({ layers: ['seats:circle'] }).length > 0);
  await page.unroute('**/collections/parcels/tiles/**');
  await page.getByRole('button', { name: '放大' }).click();
  await page.waitForFunction(() => globalThis.mutu.map.queryRenderedFeatures({ layers: ['parcels:fill'] }).length > 0);
  await settled(page);
  assert.equal(await page.getByText('读取失败').count(), 0, 'the map asked again with the next move');
});

test('a workspace of the user without parcels and targets has figures of its own', async () => {
  const page = await browser.context.newPage();
  const { collections } = await api('/collections');
  const own = collections.filter((layer) => ['landuse', 'county'].includes(layer.id)).map((layer) => ({ ...layer, provenance: 'imported' }));
  await page.route('**/collections', (route) => route.fulfill({ json: { collections: own, links: [] } }));
  await page.route('**/targets', (route) => route.fulfill({ json: { targets: [] } }));
  await page.goto(`${BASE}/`);
  await page.locator('[data-group^="landuse."] button.bar').first().waitFor();
  await settled(page);
  assert.equal(await page.locator('[data-target]').count(), 0);
  assert.equal(await page.locator('[data-banner="synthetic"]').count(), 0);
  assert.ok(Number((await page.locator('tr[data-layer="landuse"] [data-figure="count"]').innerText()).replaceAll(',', '')) > 0);
  await shot(page, 'wide-own-workspace-zh');
});

test('an empty workspace says what to do', async () => {
  const page = await browser.context.newPage();
  await page.route('**/collections', (route) => route.fulfill({ json: { collections: [], links: [] } }));
  await page.route('**/targets', (route) => route.fulfill({ json: { targets: [] } }));
  await page.goto(`${BASE}/`);
  await page.getByText('mutu import').first().waitFor();
  await shot(page, 'wide-empty-zh');
});

test('where less motion is wished for the map jumps', async () => {
  const { page } = await openPage(browser, {});
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await settled(page);
  const zoom = await page.evaluate(() => globalThis.mutu.map.getZoom());
  await page.getByRole('button', { name: '放大' }).click();
  assert.ok(Math.abs((await page.evaluate(() => globalThis.mutu.map.getZoom())) - zoom - 1) < 0.01, 'the zoom is not there at once');
});

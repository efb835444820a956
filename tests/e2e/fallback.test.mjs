// What is left when something is missing: no WebGL, no server, a wish for less motion.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { api, axe, openBrowser, openPage, settled, shot, SIZES } from './browser.mjs';

test('without WebGL the page says so and shows the table and the cards', async () => {
  const browser = await openBrowser({ webgl: false });
  try {
    const { page, account } = await openPage(browser, { size: SIZES.wide });
    await page.getByText('没有 WebGL 2').waitFor();
    await settled(page, { map: false });
    const { targets } = await api('/targets');
    assert.equal(await page.locator('[data-target]').count(), targets.length);
    assert.ok((await page.locator('[data-table] tbody button').count()) > 0, 'the table is empty');
    assert.deepEqual(await axe(page), []);
    await shot(page, 'wide-no-webgl-zh');
    assert.deepEqual(account, { errors: [], elsewhere: [], failed: [] });
  } finally {
    await browser.close();
  }
});

test('a server that does not answer is named, and asking again helps', async () => {
  const browser = await openBrowser();
  try {
    const page = await browser.context.newPage();
    await page.route('**/collections', (route) => route.abort());
    await page.goto(`${process.env.MUTU_URL}/`);
    await page.getByText('无法连接服务器').waitFor();
    await shot(page, 'wide-no-server-zh');
    await page.unroute('**/collections');
    await page.getByRole('button', { name: '重试' }).click();
    await page.locator('[data-target]').first().waitFor();
    await settled(page);
  } finally {
    await browser.close();
  }
});

test('a layer that fails says so on the map and the others stay', async () => {
  const browser = await openBrowser();
  try {
    const page = await browser.context.newPage();
    const problem = { type: 'about:blank', title: 'unavailable', status: 503, detail: 'the layer is being rebuilt', code: 'busy', request_id: 'r-1' };
    await page.route('**/collections/parcels/items?*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) }));
    await page.goto(`${process.env.MUTU_URL}/`);
    const { title } = await api('/collections/parcels');
    await page.getByText(`${title} 读取失败：the layer is being rebuilt`).waitFor();
    await page.waitForFunction(() => globalThis.mutu?.map.queryRenderedFeatures({ layers: ['seats:circle'] }).length > 0);
  } finally {
    await browser.close();
  }
});

test('a workspace of the user without parcels and targets has figures of its own', async () => {
  const browser = await openBrowser();
  try {
    const page = await browser.context.newPage();
    const { collections } = await api('/collections');
    const own = collections.filter((layer) => ['landuse', 'county'].includes(layer.id)).map((layer) => ({ ...layer, provenance: 'imported' }));
    await page.route('**/collections', (route) => route.fulfill({ json: { collections: own, links: [] } }));
    await page.route('**/targets', (route) => route.fulfill({ json: { targets: [] } }));
    await page.goto(`${process.env.MUTU_URL}/`);
    await page.locator('[data-group^="landuse."] button.bar').first().waitFor();
    await settled(page);
    assert.equal(await page.locator('[data-target]').count(), 0);
    assert.equal(await page.locator('[data-banner="synthetic"]').count(), 0);
    assert.ok(Number((await page.locator('tr[data-layer="landuse"] [data-figure="count"]').innerText()).replaceAll(',', '')) > 0);
    await shot(page, 'wide-own-workspace-zh');
  } finally {
    await browser.close();
  }
});

test('an empty workspace says what to do', async () => {
  const browser = await openBrowser();
  try {
    const page = await browser.context.newPage();
    await page.route('**/collections', (route) => route.fulfill({ json: { collections: [], links: [] } }));
    await page.route('**/targets', (route) => route.fulfill({ json: { targets: [] } }));
    await page.goto(`${process.env.MUTU_URL}/`);
    await page.getByText('mutu import').first().waitFor();
    await shot(page, 'wide-empty-zh');
  } finally {
    await browser.close();
  }
});

test('where less motion is wished for the map jumps', async () => {
  const browser = await openBrowser();
  try {
    const { page } = await openPage(browser, {});
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await settled(page);
    const zoom = await page.evaluate(() => globalThis.mutu.map.getZoom());
    await page.getByRole('button', { name: '放大' }).click();
    assert.ok(Math.abs((await page.evaluate(() => globalThis.mutu.map.getZoom())) - zoom - 1) < 0.01, 'the zoom is not there at once');
  } finally {
    await browser.close();
  }
});

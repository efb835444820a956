// The pages for people in a browser: they work without any script, fit both screens, and hostile data stays text.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before as beforeAll, test } from 'node:test';
import { api, axe, BASE, digits, openBrowser, openPage, shot, SIZES } from './browser.mjs';

const PAGES = {
  collections: 'collections',
  collection: 'collections/parks',
  schema: 'collections/parcels/schema',
  items: 'collections/landuse/items',
  form: 'collections/parcels/items?sortby=-area_m2&filter=area_mu%20%3E%2010',
  points: 'collections/projects/items',
  item: 'collections/parcels/items/1?crs=http://www.opengis.net/def/crs/EPSG/0/4547',
  statistics: 'collections/parcels/statistics?group-by=status&unit=mu',
  tiles: 'collections/parcels/tiles/WebMercatorQuad',
  targets: 'targets',
  facts: 'facts',
  api: 'api',
  conformance: 'conformance',
};

let browser;
let plain;
beforeAll(async () => {
  browser = await openBrowser();
  plain = await openBrowser({ script: false });
});
after(async () => {
  await browser?.close();
  await plain?.close();
});

/** Runs steps on a page and then asserts that nothing went wrong behind the screen. */
async function onPage(where, path, steps, options = {}) {
  const { page, account } = await openPage(where, { hash: path, ...options });
  try {
    await steps(page);
    assert.deepEqual(account, { errors: [], elsewhere: [], failed: [] });
  } finally {
    await page.close();
  }
}

const words = async (locator) => (await locator.innerText()).trim();
const inLanguage = (path, lang) => `${path}${path.includes('?') ? '&' : '?'}lang=${lang}`;

for (const lang of ['zh', 'en']) {
  for (const [name, size] of Object.entries(SIZES)) {
    test(`in ${lang} at ${size.width}×${size.height} no page runs out of the window, and axe finds no fault`, async () => {
      for (const [title, path] of Object.entries(PAGES)) {
        await onPage(
          browser,
          inLanguage(path, lang),
          async (page) => {
            await shot(page, `html-${name}-${title}-${lang}`);
            const { scroll, width } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, width: innerWidth }));
            assert.ok(scroll <= width, `${title} scrolls sideways: ${scroll} > ${width}`);
            assert.equal(await page.evaluate(() => document.documentElement.lang), lang === 'zh' ? 'zh-CN' : 'en');
            await page.evaluate(() => { for (const details of document.querySelectorAll('details')) details.open = true; });
            assert.deepEqual(await axe(page), [], title);
          },
          { size },
        );
      }
    });
  }
}

test('without any script the form filters, column heads sort, pages follow, and shapes and rows lead to their items', async () => {
  await onPage(plain, 'collections/parcels/items?lang=zh', async (page) => {
    await page.locator('summary').first().click();
    await page.locator('select[name="town"]').selectOption('沙坪街道');
    await page.locator('form.ask button, .ask form button').click();
    await page.waitForURL(/town=/);
    assert.ok(!/filter=|bbox=|limit=/.test(page.url()), `empty fields stand in ${page.url()}`);
    const { numberMatched } = await api(`/collections/parcels/items?limit=1&town=${encodeURIComponent('沙坪街道')}`);
    assert.match(await words(page.locator('.counts')), new RegExp(`符合条件 ${digits(numberMatched)} 个，本页 100 个`));

    await page.locator('thead th a', { hasText: '椭球面积（平方米）' }).click();
    await page.locator('th[aria-sort="ascending"] a').click();
    await page.locator('th[aria-sort="descending"]').waitFor();
    const { features } = await api(`/collections/parcels/items?limit=101&sortby=-area_m2&town=${encodeURIComponent('沙坪街道')}`);
    const ids = async () => (await page.locator('tbody th').allInnerTexts()).map(Number);
    assert.deepEqual(await ids(), features.slice(0, 100).map((feature) => feature.id));
    const area = await page.locator('tbody tr').first().innerText();
    assert.ok(area.includes(digits(features[0].properties.area_m2, 2)), area);

    await page.locator('a.next').first().click();
    assert.equal((await ids())[0], features[100].id);
    await page.goBack();

    const shape = page.locator(`svg.map a[href*="/items/${features[0].id}?"]`);
    await shape.locator('path, rect').click({ force: true });
    await page.waitForURL(new RegExp(`/items/${features[0].id}`));
    assert.equal(await words(page.locator('h1')), features[0].properties.code);
    assert.ok((await words(page.locator('.areas'))).includes(digits(features[0].properties.area_planar_m2, 2)));
    await page.locator('.way a', { hasText: '要素' }).click();
    await page.locator('tbody tr').first().locator('th a').click();
    await page.waitForURL(/\/items\/1(\?|$)/);
  });
});

test('the keyboard reaches the content first, and the language stays chosen from page to page', async () => {
  await onPage(browser, 'collections?lang=en', async (page) => {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
    await page.keyboard.press('Enter');
    assert.equal(new URL(page.url()).hash, '#main');
    await page.locator('tbody a').first().click();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    await page.locator('.languages a[lang="zh-CN"]').click();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
    await page.locator('nav.more a').first().click();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
  });
});

test('the map application leads to the pages in its language', async () => {
  for (const [lang, heading] of [['zh-CN', '图层'], ['en', 'Layers']]) {
    await onPage(browser, `#lang=${lang}`, async (page) => {
      await page.locator('header a.pages').click();
      await page.waitForURL(/\/collections\?lang=/);
      assert.equal(await words(page.locator('h1')), heading);
    });
  }
});

test('a wrong filter is told with the request to be mended, and mended there', async () => {
  const { page, account } = await openPage(browser, { hash: 'collections/parcels/items?lang=en&filter=%3Cimg%20src%3Dx%20onerror%3D%22globalThis.ran%3D1%22%3E' });
  try {
    await page.locator('[role="alert"]').waitFor();
    assert.equal(await page.evaluate(() => globalThis.ran), undefined);
    assert.equal(await page.locator('main img').count(), 0);
    assert.deepEqual(await axe(page), []);
    await page.locator('input[name="filter"]').fill("status = '撤销'");
    await page.locator('button[type="submit"]').click();
    await page.locator('.counts').waitFor();
    assert.equal(account.failed.length, 1, 'only the first request failed');
  } finally {
    await page.close();
  }
});

/** A server of its own for a workspace that holds one layer of hostile values. */
async function serveHostile(folder, values) {
  const bin = process.env.MUTU_BIN;
  if (!bin) throw new Error('set MUTU_BIN to the built program');
  const square = (x) => [[[x, 22.7], [x + 0.01, 22.7], [x + 0.01, 22.71], [x, 22.71], [x, 22.7]]];
  const features = values.map((value, place) => ({ type: 'Feature', geometry: { type: 'Polygon', coordinates: square(112.9 + place * 0.02) }, properties: { name: value, link: value } }));
  const file = join(folder, 'hostile.geojson');
  const workspace = join(folder, 'hostile.gpkg');
  writeFileSync(file, JSON.stringify({ type: 'FeatureCollection', features }));
  const imported = spawnSync(bin, ['import', file, '--layer', 'hostile', '--workspace', workspace], { encoding: 'utf8' });
  assert.equal(imported.status, 0, imported.stderr);
  const server = spawn(bin, ['serve', '--workspace', workspace, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const line of createInterface({ input: server.stderr })) {
    const url = / is at (http:\S+)/.exec(line)?.[1];
    if (url) {
      server.stderr.resume();
      return { url, server };
    }
  }
  throw new Error('the server did not start');
}

test('hostile values of an imported layer are text in the browser and run nowhere', async () => {
  const values = ['<img src=x onerror="globalThis.ran=1">', '</script></title><script>globalThis.ran=2</script>', 'javascript:globalThis.ran=3', 'a\u202egpj.exe', 'https://example.org/"onmouseover="globalThis.ran=4'];
  const folder = mkdtempSync(join(tmpdir(), 'mutu-hostile-'));
  const { url, server } = await serveHostile(folder, values);
  const page = await browser.context.newPage();
  const faults = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(String(error)));
  try {
    for (const path of ['/collections/hostile/items', '/collections/hostile/statistics?group-by=name', ...values.map((_, place) => `/collections/hostile/items/${place + 1}`)]) {
      await page.goto(url + path);
      for (const link of await page.locator('main a').all()) await link.hover({ force: true, timeout: 2000 }).catch(() => {});
      assert.equal(await page.evaluate(() => globalThis.ran), undefined, path);
      assert.equal(await page.locator('main img, script').count(), 0, path);
      const schemes = await page.locator('a[href]').evaluateAll((links) => [...new Set(links.map((link) => new URL(link.getAttribute('href'), location.href).protocol))]);
      assert.ok(schemes.every((scheme) => ['http:', 'https:'].includes(scheme)), `${path}: ${schemes}`);
    }
    await page.goto(`${url}/collections/hostile/items`);
    const names = await page.locator('tbody tr td:nth-child(2)').allInnerTexts();
    assert.deepEqual(names, values);
    assert.deepEqual(faults, []);
  } finally {
    await page.close();
    server.kill();
    await once(server, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what a program asks for stays what it was', async () => {
  for (const accept of [undefined, '*/*', 'application/geo+json']) {
    const answer = await fetch(`${BASE}/collections/parcels/items?limit=1`, { headers: accept ? { accept } : {} });
    assert.equal(answer.headers.get('content-type'), 'application/geo+json');
  }
});

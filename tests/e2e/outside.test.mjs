// What another program does to the file beside the server: told to who may decide, taken in or put back from the page.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before as beforeAll, test } from 'node:test';
import { api as ask, axe, openBrowser, openPage, serveDemo, settled, shot, signIn, SIZES } from './browser.mjs';

let browser;
let server;
beforeAll(async () => {
  server = await serveDemo(['--outside', 'ask']);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

const api = (path) => ask(path, server.url);
const noteOf = async (id) => (await api(`/collections/parcels/items/${id}`)).properties.note ?? null;
/** Another program writes into the file. */
const write = (note, ids) => execFileSync('ogrinfo', [server.workspace, '-dialect', 'sqlite', '-sql', `UPDATE parcels SET note = '${note}' WHERE fid IN (${ids.join()})`], { stdio: 'ignore' });
const banner = (page) => page.locator('[data-banner="outside"]');

async function onPage(options, steps) {
  const { page, account } = await openPage(browser, { base: server.url, ...options });
  try {
    await settled(page);
    await steps(page);
    assert.deepEqual([account.elsewhere, account.failed, account.errors], [[], [], []]);
  } finally {
    await page.close();
  }
}

test('who has not signed in is told how to, and nothing of what waits', async () => {
  write('别的软件改的', [1, 2]);
  for (const [lang, name, size] of [['zh-CN', '登录', 'wide'], ['en', 'Sign in', 'narrow']]) {
    await onPage({ hash: `#layers=parcels&lang=${lang}`, size: SIZES[size] }, async (page) => {
      await page.locator('header').getByRole('button', { name, exact: true }).click();
      await page.getByRole('dialog').waitFor();
      await shot(page, `sign-in-${size}-${lang}`);
      assert.deepEqual(await axe(page), []);
      assert.equal(await banner(page).count(), 0);
    });
  }
});

test('what waits is told, put back, told again and taken in as one edit', async () => {
  await signIn(browser, server);
  const before = [await noteOf(1), await noteOf(2)];
  const { head } = await api('/changes?since=0&limit=1');
  await onPage({ hash: '#layers=parcels' }, async (page) => {
    await banner(page).waitFor();
    assert.match(await banner(page).innerText(), /其他程序改动了 2 个要素/);
    await banner(page).getByRole('button', { name: '处理' }).click();
    await shot(page, 'outside-wide-zh');
    assert.deepEqual(await axe(page), []);
    await banner(page).getByRole('button', { name: '全部退回' }).click();
    await banner(page).waitFor({ state: 'detached' });
    assert.deepEqual([await noteOf(1), await noteOf(2)], before);
    write('再次改的', [1]);
    // Coming back to the window.
    await page.evaluate(() => globalThis.dispatchEvent(new Event('focus')));
    await banner(page).waitFor();
    await banner(page).getByRole('button', { name: '处理' }).click();
    await banner(page).getByLabel('修改原因').fill('内业整理');
    await banner(page).getByRole('button', { name: '全部采纳' }).click();
    await banner(page).waitFor({ state: 'detached' });
  });
  assert.equal(await noteOf(1), '再次改的');
  const { changes, head: now } = await api(`/changes?since=${head}`);
  assert.equal(now, head + 1, 'putting back is no edit; taking in is one');
  assert.deepEqual([changes[0].kind, changes[0].note], ['outside', '内业整理']);
});

test('the banner is whole in English on a narrow window', async () => {
  write('第三次', [3]);
  await onPage({ hash: '#layers=parcels&lang=en', size: SIZES.narrow }, async (page) => {
    await banner(page).getByRole('button', { name: 'Decide' }).click();
    await shot(page, 'outside-narrow-en');
    assert.deepEqual(await axe(page), []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
  });
});

// What was, and how it came to be: history of a feature, the feed, the whole view as of a moment, undo and restore.

import assert from 'node:assert/strict';
import { after, before as beforeAll, test } from 'node:test';
import { api as ask, axe, digits, openBrowser, openPage, serveDemo, settled, shot, signIn, SIZES } from './browser.mjs';

let browser;
let server;
beforeAll(async () => {
  server = await serveDemo();
  browser = await openBrowser();
  await signIn(browser, server);
});
after(async () => {
  await browser?.close();
  server?.stop();
});

const api = (path) => ask(path, server.url);
const words = async (locator) => (await locator.innerText()).trim();

async function onPage({ refused = [], ...options }, steps) {
  const { page, account } = await openPage(browser, { base: server.url, ...options });
  try {
    await settled(page);
    await steps(page);
    assert.deepEqual(account.elsewhere, []);
    // What is gone is asked for as often as its layer changes.
    assert.deepEqual([...new Set(account.failed.map((line) => line.split(' ')[0]))], refused, account.failed.join('\n'));
    assert.deepEqual(account.errors.filter((line) => !/status of 404/.test(line)), []);
  } finally {
    await page.close();
  }
}

const fieldOf = (page, name) => page.locator(`[data-field="${name}"] :is(input, select, textarea)`);

/** Changes one field of a parcel through the page, and says what the feed says of it. */
async function change(id, name, value, note) {
  await onPage({ hash: `#layers=parcels&select=parcels/${id}` }, async (page) => {
    await page.getByRole('button', { name: '编辑', exact: true }).click();
    const field = fieldOf(page, name);
    if ((await field.evaluate((element) => element.tagName)) === 'SELECT') await field.selectOption(value);
    else await field.fill(value);
    await page.getByLabel('修改原因').fill(note);
    await page.getByRole('button', { name: '保存', exact: true }).click();
    await page.locator('form[data-editing]').waitFor({ state: 'detached' });
  });
  const { head } = await api('/changes?since=0&limit=1');
  return api(`/changes/${head}`);
}

test('the view as of a moment between two edits shows the figures of that moment, and cannot be edited', async () => {
  const { features } = await api("/collections/parcels/items?limit=2&filter=status%3D'%E7%BA%BF%E7%B4%A2'");
  const [one, two] = features;
  const first = await change(one.id, 'status', '调查', '第一次');
  const then = await api('/collections/parcels/statistics?group-by=status&unit=mu');
  await change(two.id, 'status', '调查', '第二次');
  const now = await api('/collections/parcels/statistics?group-by=status&unit=mu');
  const clue = (statistics) => statistics.groups.find((group) => group.key.status === '线索');
  assert.equal(clue(then).count - clue(now).count, 1);
  const bar = (page) => page.locator('[data-group="parcels.status"] button[data-value="线索"] [data-figure="area"]');
  const counted = (page) => page.locator('[data-legend="parcels"] [data-class="线索"] .num').first();
  await onPage({ hash: `#layers=parcels&asof=${first.at}` }, async (page) => {
    await page.locator('[data-banner="asof"]').waitFor();
    assert.match(await words(page.locator('[data-banner="asof"]')), /^截至 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d 的状态/);
    assert.equal(await words(bar(page)), digits(clue(then).area, then.decimals));
    assert.equal(await words(counted(page)), String(clue(then).count));
    await shot(page, 'asof-zh');
    const pages = await page.getByRole('link', { name: '数据' }).getAttribute('href');
    assert.equal(new URL(pages, page.url()).searchParams.get('datetime'), first.at);
    assert.equal((await page.request.get(new URL(pages, page.url()).href, { headers: { accept: 'text/html' } })).status(), 200);
    assert.deepEqual(await axe(page), []);
    assert.equal(await page.getByRole('button', { name: /中新增要素/ }).count(), 0, 'the past is not edited');
    // The very same question in a shell.
    await page.locator('[data-banner="asof"]').getByRole('button', { name: '回到现在' }).click();
    await page.waitForFunction((wanted) => document.querySelector('[data-group="parcels.status"] button[data-value="线索"] [data-figure="area"]')?.textContent === wanted, digits(clue(now).area, now.decimals));
    assert.ok(!page.url().includes('asof='), page.url());
    await settled(page);
    assert.equal(await words(counted(page)), String(clue(now).count));
  });
  await onPage({ hash: `#layers=parcels&select=parcels/${two.id}&asof=${first.at}&table=parcels` }, async (page) => {
    assert.equal(await words(page.locator('[data-property="status"]')), '线索');
    assert.equal(await page.getByRole('button', { name: '编辑', exact: true }).count(), 0);
    const drawn = await page.evaluate(() => globalThis.mutu.map.getStyle().sources['data:parcels'].tiles[0]);
    assert.ok(drawn.includes('datetime='), drawn);
  });
});

test('the date in the header changes the whole view and the address', async () => {
  await onPage({ hash: '#layers=parcels' }, async (page) => {
    await page.getByRole('button', { name: '历史日期' }).click();
    const field = page.getByLabel('截至');
    await field.fill(await field.getAttribute('max'));
    await page.locator('[data-banner="asof"]').waitFor();
    assert.match(page.url(), /asof=\d{4}-\d\d-\d\d/);
    await settled(page);
    assert.equal(await words(page.locator('[data-group="parcels.status"] [data-figure="total"]')), '20,000.00');
  });
});

test('the history of a feature says who, when, why and what, undoes an edit and restores a version', async () => {
  const { features } = await api('/collections/parcels/items?limit=40');
  const parcel = features.at(-1);
  await change(parcel.id, 'note', '第一个理由', '初次核实');
  await change(parcel.id, 'note', '第二个理由', '再次核实');
  const head = (await api('/changes?since=0&limit=1')).head;
  const reason = async () => (await api(`/collections/parcels/items/${parcel.id}`)).properties.note;
  await onPage({ hash: `#layers=parcels&select=parcels/${parcel.id}` }, async (page) => {
    await page.getByRole('button', { name: '历史', exact: true }).click();
    const list = page.locator('.history');
    await list.locator('[data-version]').first().waitFor();
    const latest = list.locator(`[data-version="${head}"]`);
    const text = await words(latest);
    for (const part of ['再次核实', '第一个理由', '第二个理由', '造成低效的原因']) if (part !== '造成低效的原因') assert.ok(text.includes(part), `${part} is missing in ${text}`);
    await shot(page, 'history-zh');
    assert.deepEqual(await axe(page), []);
    await latest.getByRole('button', { name: '撤销此次修改' }).click();
    await latest.locator('form [data-preview]').waitFor();
    await latest.getByLabel('修改原因').fill('误改');
    await latest.getByRole('button', { name: '确认撤销' }).click();
    await page.waitForFunction(() => document.querySelector('[data-property="note"]')?.textContent === '第一个理由');
    assert.equal(await reason(), '第一个理由');
    assert.equal((await api('/changes?since=0&limit=1')).head, head + 1, 'undoing is one more edit');
    const old = list.locator(`[data-version="${head}"]`);
    await old.getByRole('button', { name: '恢复此版本' }).click();
    await old.getByRole('button', { name: '确认恢复' }).click();
    await page.waitForFunction(() => document.querySelector('[data-property="note"]')?.textContent === '第二个理由');
    assert.equal(await reason(), '第二个理由');
  });
});

test('the feed lists what was done, goes to it and follows on', async () => {
  const { features } = await api('/collections/parcels/items?limit=60');
  const parcel = features.at(-1);
  await onPage({ hash: '#layers=parcels&panel=changes' }, async (page) => {
    await page.locator('[data-live="true"]').waitFor();
    const done = await change(parcel.id, 'note', '动态里的理由', '看得见的原因');
    const entry = page.locator(`[data-seq="${done.seq}"]`);
    await entry.waitFor();
    assert.match(await words(entry), /看得见的原因/);
    const zoom = await page.evaluate(() => globalThis.mutu.map.getZoom());
    await entry.locator('button.entry').click();
    await entry.getByRole('button', { name: new RegExp(`#${parcel.id}$`) }).waitFor();
    await page.waitForFunction((before) => globalThis.mutu.map.getZoom() > before + 1, zoom);
    await shot(page, 'changes-zh');
    assert.deepEqual(await axe(page), []);
    await entry.getByRole('button', { name: new RegExp(`#${parcel.id}$`) }).click();
    await page.locator(`article[data-feature="parcels/${parcel.id}"]`).waitFor();
  });
});

test('what was deleted says so, and its history stays', async () => {
  const { features } = await api('/collections/parcels/items?limit=80');
  const parcel = features.at(-1);
  await onPage({ hash: `#layers=parcels&select=parcels/${parcel.id}`, refused: ['404'] }, async (page) => {
    await page.getByRole('button', { name: '删除', exact: true }).click();
    await page.locator('form[data-editing="delete"] [data-preview]').waitFor();
    await shot(page, 'delete-zh');
    await page.locator('form[data-editing="delete"]').getByRole('button', { name: '删除' }).click();
    await page.locator('form[data-editing]').waitFor({ state: 'detached' });
    await page.evaluate((id) => (location.hash = `layers=parcels&select=parcels/${id}`), parcel.id);
    await page.getByText(/没有编号为 .* 的要素/).waitFor();
    await page.getByRole('button', { name: '历史', exact: true }).click();
    await page.locator('.history [data-version]').first().waitFor();
    assert.match(await words(page.locator('.history [data-version]').first()), /删除/);
  });
});

test('the past and the feed are whole in English and on a narrow window', async () => {
  const { head } = await api('/changes?since=0&limit=1');
  const { at } = await api(`/changes/${head}`);
  const { features } = await api('/collections/parcels/items?limit=40');
  const edited = features.at(-1).id;
  for (const size of ['wide', 'narrow']) {
    await onPage({ hash: `#lang=en&layers=parcels&panel=changes&asof=${at}`, size: SIZES[size] }, async (page) => {
      await page.locator('[data-seq]').first().waitFor();
      await shot(page, `past-${size}-en`);
      assert.deepEqual(await axe(page), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
    });
    await onPage({ hash: `#lang=en&layers=parcels&select=parcels/${edited}`, size: SIZES[size] }, async (page) => {
      await page.getByRole('button', { name: 'History', exact: true }).click();
      await page.locator('.history [data-version]').first().waitFor();
      await shot(page, `history-${size}-en`);
      assert.deepEqual(await axe(page), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
    });
  }
});

// Changing the workspace from the page, against a server and a workspace of its own: what was saved is what others see, nobody
// overwrites another, and the areas that the page prints are the server's.

import assert from 'node:assert/strict';
import { after, before as beforeAll, test } from 'node:test';
import { api as ask, axe, clickAt, digits, dragFrom, openBrowser, openPage, serveDemo, settled, shot, signIn, SIZES } from './browser.mjs';

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
const ringOf = (item) => (item.geometry.type === 'Polygon' ? item.geometry.coordinates[0] : item.geometry.coordinates[0][0]);
const boxOf = (ring) => [0, 1].map((axis) => [Math.min(...ring.map((at) => at[axis])), Math.max(...ring.map((at) => at[axis]))]);
const middleOf = (ring) => boxOf(ring).map(([low, high]) => (low + high) / 2);
/** Parcels that no test before used. */
const used = new Set();

async function aParcel(fits = () => true) {
  const { features } = await api('/collections/parcels/items?limit=3000');
  const found = features.find((item) => !used.has(item.id) && item.geometry.type === 'Polygon' && item.geometry.coordinates.length === 1 && item.properties.area_m2 > 3000 && fits(item, features));
  assert.ok(found, 'the demo has no such parcel');
  used.add(found.id);
  return api(`/collections/parcels/items/${found.id}`);
}

const hashOf = (item, zoom = 17) => {
  const [lon, lat] = middleOf(ringOf(item));
  return `#map=${zoom}/${lat.toFixed(5)}/${lon.toFixed(5)}&layers=parcels&select=parcels/${item.id}`;
};

/** A page at a parcel; its refused questions are those named, and nothing else went wrong. */
async function onPage({ refused = [], ...options }, steps) {
  const { page, account } = await openPage(browser, { base: server.url, ...options });
  try {
    await settled(page);
    await steps(page);
    assert.deepEqual(account.elsewhere, []);
    assert.deepEqual(account.failed.map((line) => line.split(' ')[0]), refused);
    assert.deepEqual(account.errors.filter((line) => !/status of (409|412|422)/.test(line)), []);
  } finally {
    await page.close({ runBeforeUnload: false });
  }
}

const edit = (page) => page.getByRole('button', { name: '编辑', exact: true }).click();
const save = async (page) => {
  await page.getByRole('button', { name: '保存', exact: true }).click();
  await page.locator('form[data-editing]').waitFor({ state: 'detached' });
};
const fieldOf = (page, name) => page.locator(`[data-field="${name}"] :is(input, select, textarea)`);
/** Waits until the server said what would become of what is drawn now. */
const previewed = (page) => page.waitForFunction(() => document.querySelector('.preview[aria-busy="false"] [data-preview] tbody tr') !== null);
const previewRows = (page) => page.locator('[data-preview] tbody tr').evaluateAll((rows) => rows.map((row) => ({ operation: row.dataset.operation, before: row.querySelector('[data-figure="before"]').textContent, after: row.querySelector('[data-figure="after"]').textContent })));
const cents = (text) => BigInt(text.replaceAll(',', '').replace('.', ''));

test('an attribute saved in one page stands in another within a second, with who and why', async (t) => {
  const parcel = await aParcel();
  await onPage({ hash: hashOf(parcel) }, async (other) => {
    await onPage({ hash: hashOf(parcel) }, async (page) => {
      await edit(page);
      await fieldOf(page, 'note').fill('现场核实后改写');
      await page.getByLabel('修改原因').fill('2026 年现场核实');
      await shot(page, 'edit-form-zh');
      const value = other.locator('[data-property="note"]');
      const seen = other.waitForFunction(() => document.querySelector('[data-property="note"]')?.textContent.includes('现场核实后改写'), null, { timeout: 10_000, polling: 20 });
      const saved = page.waitForResponse((response) => response.request().method() === 'PATCH').then(() => Date.now());
      await page.getByRole('button', { name: '保存', exact: true }).click();
      const from = await saved;
      await seen;
      const took = Date.now() - from;
      t.diagnostic(`the other page showed it ${took} ms after the answer`);
      assert.ok(took < 1000, `it took ${took} ms`);
      assert.equal(await words(value), '现场核实后改写');
      await other.locator('[data-news]').waitFor();
      assert.match(await words(other.locator('[data-news]').first()), /刚刚修改了 低效工业用地（虚构） 1 个/);
      await shot(other, 'news-zh');
      // One's own edit is no news to oneself.
      assert.equal(await page.locator('[data-news]').count(), 0);
    });
  });
  const stored = await api(`/collections/parcels/items/${parcel.id}`);
  assert.deepEqual(stored.geometry, parcel.geometry);
  assert.deepEqual({ ...stored.properties, note: null }, { ...parcel.properties, note: null });
  const { changes } = await api('/changes?since=12');
  assert.equal(changes.at(-1).note, '2026 年现场核实');
});

test('a value that breaks a rule is told at its field and nothing is saved', async () => {
  const parcel = await aParcel();
  await onPage({ hash: hashOf(parcel) }, async (page) => {
    await edit(page);
    await fieldOf(page, 'far').fill('很高');
    assert.equal(await words(page.locator('#edit-far-said')), '应为数字');
    assert.equal(await fieldOf(page, 'far').getAttribute('aria-invalid'), 'true');
    assert.ok(await page.getByRole('button', { name: '保存', exact: true }).isDisabled());
    // Another feature is not opened over what is typed.
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('form[data-editing]').count(), 1);
    assert.deepEqual(await axe(page), []);
    await page.getByRole('button', { name: '取消' }).click();
    await page.locator('article[data-feature]').waitFor();
  });
  assert.deepEqual((await api(`/collections/parcels/items/${parcel.id}`)).properties, parcel.properties);
});

test('whoever saves second is shown both versions, chooses field by field, and nothing is lost', async () => {
  const parcel = await aParcel((item) => item.properties.status !== '暂缓');
  await onPage({ hash: hashOf(parcel), refused: [] }, async (page) => {
    await edit(page);
    await fieldOf(page, 'note').fill('我的理由');
    await fieldOf(page, 'far').fill('1.11');
    await onPage({ hash: hashOf(parcel) }, async (other) => {
      await edit(other);
      await fieldOf(other, 'note').fill('别人的理由');
      await fieldOf(other, 'coverage').fill('22.2');
      await save(other);
    });
    // Said at once, while one still types.
    await page.locator('[data-notice="theirs"]').waitFor();
    assert.ok(await page.getByRole('button', { name: '保存', exact: true }).isDisabled());
    await page.getByRole('button', { name: '对照并合并' }).click();
    const dialog = page.locator('[data-dialog="merge"]');
    await dialog.waitFor();
    assert.deepEqual(await dialog.locator('tbody tr').evaluateAll((rows) => rows.map((row) => row.dataset.row).toSorted()), ['coverage', 'far', 'note']);
    assert.ok(await dialog.getByRole('button', { name: '按所选保存' }).isDisabled(), 'a clash must be decided');
    await shot(page, 'merge-zh');
    assert.deepEqual(await axe(page), []);
    await dialog.locator('[data-row="note"] input').nth(1).check();
    await dialog.getByRole('button', { name: '按所选保存' }).click();
    await page.locator('form[data-editing]').waitFor({ state: 'detached' });
  });
  const { properties } = await api(`/collections/parcels/items/${parcel.id}`);
  assert.deepEqual([properties.note, properties.far, properties.coverage], ['我的理由', 1.11, 22.2]);
  const { versions } = await api(`/collections/parcels/items/${parcel.id}/history`);
  assert.ok(versions.some((version) => version.differences.some((difference) => difference.after === '别人的理由')), 'the other reason is in the history');
});

test('a server that tells no news still refuses to overwrite: 412 opens the merge', async () => {
  const parcel = await aParcel();
  const { page, account } = await openPage(browser, { base: server.url });
  await page.route('**/changes?f=sse*', (route) => route.abort());
  await page.goto(`${server.url}/${hashOf(parcel)}`);
  await page.reload();
  await settled(page);
  await edit(page);
  await fieldOf(page, 'note').fill('晚到的理由');
  await onPage({ hash: hashOf(parcel) }, async (other) => {
    await edit(other);
    await fieldOf(other, 'note').fill('先到的理由');
    await save(other);
  });
  await page.getByRole('button', { name: '保存', exact: true }).click();
  const dialog = page.locator('[data-dialog="merge"]');
  await dialog.waitFor();
  assert.ok(account.failed.some((line) => line.startsWith('412')), account.failed.join());
  assert.equal((await api(`/collections/parcels/items/${parcel.id}`)).properties.note, '先到的理由');
  await dialog.locator('[data-row="note"] input').nth(0).check();
  await dialog.getByRole('button', { name: '按所选保存' }).click();
  await page.locator('form[data-editing]').waitFor({ state: 'detached' });
  assert.equal((await api(`/collections/parcels/items/${parcel.id}`)).properties.note, '先到的理由');
  await page.close();
});

test('a vertex moved takes the common edge of the neighbour along; all others stay bit for bit', async () => {
  const key = (at) => at.join();
  let corner;
  let neighbour;
  const parcel = await aParcel((item, all) => {
    // A corner that just one other parcel has, too.
    corner = ringOf(item).slice(1).find((at) => {
      const having = all.filter((other) => other.id !== item.id && other.geometry.type === 'Polygon' && ringOf(other).some((there) => key(there) === key(at)));
      [neighbour] = having;
      return having.length === 1 && !used.has(neighbour.id);
    });
    return corner !== undefined;
  });
  used.add(neighbour.id);
  const ring = ringOf(parcel);
  const [middle, size] = [middleOf(ring), boxOf(ring).map(([low, high]) => high - low)];
  const to = corner.map((value, axis) => value + (middle[axis] - value) * 0.15 + size[axis] * 0.01);
  await onPage({ hash: hashOf(parcel, 17.5) }, async (page) => {
    await edit(page);
    await page.getByRole('button', { name: '修改图形' }).click();
    await page.getByRole('toolbar').waitFor();
    await page.waitForFunction(() => globalThis.mutu.map.isStyleLoaded() && document.querySelector('details summary .num')?.textContent !== '0');
    await dragFrom(page, corner, to);
    await previewed(page);
    await page.getByRole('checkbox', { name: /相邻图斑的公共边一起移动/ }).waitFor();
    const rows = await previewRows(page);
    assert.equal(rows.length, 2, 'the parcel and its neighbour');
    assert.equal(rows[0].before, digits(parcel.properties.area_m2, 2));
    assert.equal(rows[1].before, digits(neighbour.properties.area_m2, 2));
    await shot(page, 'shape-zh');
    await page.keyboard.press('Control+z');
    await page.waitForFunction(() => document.querySelector('[data-preview]') === null);
    await page.getByRole('button', { name: '重做' }).click();
    await previewed(page);
    await save(page);
    const [own, theirs] = await Promise.all([parcel, neighbour].map(({ id }) => api(`/collections/parcels/items/${id}`)));
    assert.equal(digits(own.properties.area_m2, 2), rows[0].after, 'what was shown before saving');
    assert.equal(digits(theirs.properties.area_m2, 2), rows[1].after);
    const stayed = new Set(ringOf(own).map(key));
    const moved = ring.slice(1).filter((at) => !stayed.has(key(at)));
    assert.deepEqual(moved.map(key), [key(corner)], 'one vertex alone was moved');
    const now = ringOf(own).find((at) => !ring.some((was) => key(was) === key(at)));
    assert.ok(ringOf(theirs).some((at) => key(at) === key(now)), 'the neighbour has the very same vertex');
  });
});

test('a parcel split by a line: the parts add up to the whole as printed, or the page says by how much rounding moved it', async () => {
  const parcel = await aParcel();
  const [[west, east], [south, north]] = boxOf(ringOf(parcel));
  const [lon] = middleOf(ringOf(parcel));
  const [wide, high] = [east - west, north - south];
  await onPage({ hash: hashOf(parcel) }, async (page) => {
    await page.getByRole('button', { name: '分割' }).click();
    await page.getByRole('toolbar').waitFor();
    await clickAt(page, [[lon, south - high * 0.2], [lon + wide * 0.02, north + high * 0.2]]);
    await page.locator('.maplibregl-canvas').focus();
    await page.keyboard.press('Enter');
    await previewed(page);
    await shot(page, 'split-zh');
    const rows = await previewRows(page);
    const parts = rows.filter((row) => row.after !== '–');
    assert.ok(parts.length >= 2, JSON.stringify(rows));
    const moved = parts.reduce((sum, row) => sum + cents(row.after), 0n) - cents(digits(parcel.properties.area_m2, 2));
    const size = moved < 0n ? -moved : moved;
    assert.ok(size <= BigInt(parts.length), JSON.stringify(rows));
    const told = page.locator('[data-finding="residual-area"]');
    if (size === 0n) assert.equal(await told.count(), 0, 'nothing moved, nothing is said');
    else assert.match(await words(told), new RegExp(`新旧面积合计相差 0\\.0${size} m²`));
    await page.getByLabel('修改原因').fill('分宗');
    await save(page);
    await page.locator('article[data-feature]').waitFor();
  });
  const { features } = await api(`/changes/${(await api('/changes?since=0&limit=1')).head}`);
  const now = features.flatMap((feature) => (feature.after ? [feature.after] : []));
  assert.ok(now.length >= 2);
  assert.ok(features.some((feature) => feature.parents?.map(Number).includes(Number(parcel.id))), 'the parts know what they came from');
});

test('neighbours merged: one parcel with the area of both as printed', async () => {
  let second;
  const edges = (item) => new Set(ringOf(item).slice(1).map((at, order) => [ringOf(item)[order].join(), at.join()].toSorted().join('|')));
  const first = await aParcel((item, all) => {
    const own = edges(item);
    second = all.find((other) => other.id !== item.id && !used.has(other.id) && other.geometry.type === 'Polygon' && other.geometry.coordinates.length === 1 && [...edges(other)].some((edge) => own.has(edge)));
    return second !== undefined;
  });
  used.add(second.id);
  await onPage({ hash: hashOf(first, 16.5) }, async (page) => {
    await page.getByRole('button', { name: '合并' }).click();
    await page.locator('form[data-editing="merge"]').waitFor();
    await clickAt(page, [middleOf(ringOf(second))]);
    await page.locator('.partners li').waitFor();
    await previewed(page);
    // Where the values differ they stand side by side, the one that stays first.
    const [one, other] = [first, second].map((item) => item.properties.code);
    assert.deepEqual(await page.locator('[data-merged] [data-row="code"] td').allInnerTexts(), [one, other]);
    await shot(page, 'merge-parcels-zh');
    assert.deepEqual(await axe(page), []);
    const rows = await previewRows(page);
    const before = rows.filter((row) => row.before !== '–').reduce((sum, row) => sum + cents(row.before), 0n);
    const after = rows.filter((row) => row.after !== '–').reduce((sum, row) => sum + cents(row.after), 0n);
    assert.equal(before, cents(digits(first.properties.area_m2, 2)) + cents(digits(second.properties.area_m2, 2)));
    assert.equal(after, before, JSON.stringify(rows));
    await save(page);
  });
  const merged = await api(`/collections/parcels/items/${first.id}`);
  assert.ok(Math.abs(merged.properties.area_m2 - first.properties.area_m2 - second.properties.area_m2) < 0.005);
  await assert.rejects(api(`/collections/parcels/items/${second.id}`), /^Error: 404/);
});

test('a new parcel drawn by the mouse, and one by the keyboard alone', async () => {
  const before = (await api('/collections/parcels')).itemCount;
  const place = [112.6, 22.7];
  const corners = [[0, 0], [0.002, 0], [0.002, 0.0015], [0, 0.0015]].map(([x, y]) => [place[0] + x, place[1] + y]);
  await onPage({ hash: `#map=16/${place[1]}/${place[0]}&layers=parcels` }, async (page) => {
    await page.getByRole('button', { name: /在 低效工业用地.* 中新增要素/ }).click();
    await page.getByRole('toolbar').waitFor();
    await clickAt(page, corners);
    await page.locator('.maplibregl-canvas').focus();
    await page.keyboard.press('Enter');
    await fieldOf(page, 'code').fill('DX-NEW-1');
    await fieldOf(page, 'status').selectOption('线索');
    await previewed(page);
    await shot(page, 'new-zh');
    const [row] = await previewRows(page);
    await save(page);
    const article = page.locator('article[data-feature]');
    await article.waitFor();
    const made = await api(`/collections/parcels/items/${(await article.getAttribute('data-feature')).split('/')[1]}`);
    assert.equal(made.properties.code, 'DX-NEW-1');
    assert.equal(digits(made.properties.area_m2, 2), row.after);
  });
  await onPage({ hash: `#map=16/${place[1] + 0.02}/${place[0]}&layers=parcels` }, async (page) => {
    await page.getByRole('button', { name: /在 低效工业用地.* 中新增要素/ }).press('Enter');
    await page.getByRole('toolbar').waitFor();
    await page.locator('details summary').filter({ hasText: '顶点坐标' }).press('Enter');
    for (let n = 0; n < 3; n += 1) await page.getByRole('button', { name: '在地图中心加点' }).press('Enter');
    const typed = [[place[0], place[1] + 0.02], [place[0] + 0.001, place[1] + 0.02], [place[0], place[1] + 0.021]];
    for (const [n, at] of typed.entries()) {
      for (const [axis, name] of ['经度', '纬度'].entries()) {
        await page.getByLabel(`顶点 ${n + 1} ${name}`).fill(String(at[axis]));
        await page.keyboard.press('Tab');
      }
    }
    await page.getByRole('button', { name: '完成', exact: true }).press('Enter');
    await fieldOf(page, 'code').fill('DX-NEW-2');
    await previewed(page);
    await save(page);
  });
  assert.equal((await api('/collections/parcels')).itemCount, before + 2);
});

test('a shape that crosses itself is refused with the place, and the map shows it', async () => {
  const place = [112.55, 22.72];
  const corners = [[0, 0], [0.002, 0.0015], [0.002, 0], [0, 0.0015]].map(([x, y]) => [place[0] + x, place[1] + y]);
  const before = (await api('/collections/parcels')).itemCount;
  await onPage({ hash: `#map=16/${place[1]}/${place[0]}&layers=parcels`, refused: ['422'] }, async (page) => {
    await page.getByRole('button', { name: /在 低效工业用地.* 中新增要素/ }).click();
    await page.getByRole('toolbar').waitFor();
    await page.locator('details summary').filter({ hasText: '顶点坐标' }).click();
    for (const [n, at] of corners.entries()) {
      await page.getByRole('button', { name: '在地图中心加点' }).click();
      for (const [axis, name] of ['经度', '纬度'].entries()) {
        await page.getByLabel(`顶点 ${n + 1} ${name}`).fill(String(at[axis]));
        await page.keyboard.press('Tab');
      }
    }
    await page.getByRole('button', { name: '完成', exact: true }).click();
    assert.match(await words(page.locator('[data-finding="self-intersection"]')), /边界自相交或自重叠/);
    assert.ok(await page.getByRole('button', { name: '保存', exact: true }).isDisabled());
    await shot(page, 'finding-zh');
    await page.getByRole('button', { name: '取消' }).click();
  });
  assert.equal((await api('/collections/parcels')).itemCount, before);
});

test('editing is whole in English and on a narrow window', async () => {
  const parcel = await aParcel();
  for (const size of ['wide', 'narrow']) {
    await onPage({ hash: `${hashOf(parcel)}&lang=en`, size: SIZES[size] }, async (page) => {
      await page.getByRole('button', { name: 'Edit', exact: true }).click();
      await fieldOf(page, 'note').waitFor();
      await page.getByRole('button', { name: 'Change the shape' }).click();
      await page.getByRole('toolbar').waitFor();
      await shot(page, `edit-${size}-en`);
      assert.deepEqual(await axe(page), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'nothing is wider than the window');
      await page.getByRole('button', { name: 'Cancel' }).click();
    });
  }
});

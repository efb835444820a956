// The page against a running server that holds the demo workspace: what is on the screen is what the API answers.

import assert from 'node:assert/strict';
import { after, before as beforeAll, test } from 'node:test';
import { api, axe, BASE, digits, drawnOf, openBrowser, openPage, settled, shot, SIZES } from './browser.mjs';

let browser;
beforeAll(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

/** Runs steps on a fresh page and then asserts that nothing went wrong behind the screen. */
async function onPage(options, steps) {
  const { page, account } = await openPage(browser, options);
  try {
    await settled(page);
    await steps(page, account);
    assert.deepEqual(account, { errors: [], elsewhere: [], failed: [] });
  } finally {
    await page.close();
  }
}

const words = async (locator) => (await locator.innerText()).trim();
const drawnIds = async (page, part) => (await drawnOf(page, part)).ids;

/** A parcel and a point of the screen where it alone is, at a zoom where it is a shape. */
async function aParcel() {
  const { features } = await api('/collections/parcels/items?limit=40');
  const largest = features.toSorted((a, b) => b.properties.area_m2 - a.properties.area_m2)[0];
  const ring = largest.geometry.type === 'Polygon' ? largest.geometry.coordinates[0] : largest.geometry.coordinates[0][0];
  const middle = [0, 1].map((axis) => (Math.min(...ring.map((at) => at[axis])) + Math.max(...ring.map((at) => at[axis]))) / 2);
  return { parcel: largest, middle };
}

test('the first view shows the layers of the workspace and says that they are synthetic', async () => {
  const { collections } = await api('/collections');
  await onPage({}, async (page) => {
    await shot(page, 'wide-zh');
    const legend = await words(page.locator('aside'));
    for (const layer of collections) assert.ok(legend.includes(layer.title), `${layer.title} is missing in the legend`);
    assert.match(await words(page.locator('[data-banner="synthetic"]')), /示例数据（合成）/);
    assert.equal((await drawnOf(page, 'parcels:dust')).total, (await api('/collections/parcels')).itemCount, 'not every parcel is drawn');
  });
});

test('the synthetic banner stands as long as a synthetic layer is shown, and no longer', async () => {
  await onPage({ hash: '#layers=county,seats' }, async (page) => {
    assert.equal(await page.locator('[data-banner="synthetic"]').count(), 0);
    await page.getByRole('checkbox', { name: '显示图层 低效工业用地' }).check();
    await page.locator('[data-banner="synthetic"]').waitFor();
  });
});

test('the cards of the targets print the figures of the API digit for digit', async () => {
  const { targets } = await api('/targets');
  assert.ok(targets.length >= 4, 'the demo has four targets of land');
  await onPage({}, async (page) => {
    for (const target of targets) {
      const card = page.locator(`[data-target="${target.id}"]`);
      const shown = (name) => words(card.locator(`[data-figure="${name}"]`));
      const { measured } = target;
      if (measured) assert.equal(await shown('measured'), digits(measured.area ?? measured.value, measured.decimals), `${target.id} measured`);
      assert.equal(await shown('value'), digits(target.value), `${target.id} value`);
      if (measured && target.direction === '>=' && Number(measured.remaining) > 0) assert.equal(await shown('remaining'), digits(measured.remaining, measured.decimals), `${target.id} remaining`);
      const text = await words(card);
      if (target.definition) assert.ok(text.includes(target.definition.zh), `${target.id} has no definition`);
      for (const source of target.sources ?? []) assert.ok(text.includes(source.document), `${target.id} does not name its source`);
    }
  });
});

test('the bars by town and by status print the figures of the API, in every unit', async () => {
  for (const unit of ['mu', 'ha', 'km2']) {
    await onPage({ hash: `#unit=${unit}` }, async (page) => {
      for (const property of ['town', 'status']) {
        const answer = await api(`/collections/parcels/statistics?group-by=${property}&unit=${unit}`);
        const card = page.locator(`[data-group="parcels.${property}"]`);
        assert.equal(await words(card.locator('[data-figure="total"]')), digits(answer.total.area, answer.decimals));
        const more = card.getByRole('button', { name: /展开其余/ });
        if (await more.count()) await more.click();
        const rows = await card.locator('button.bar').evaluateAll((bars) => bars.map((bar) => [bar.dataset.value, bar.querySelector('[data-figure="area"]').textContent.trim()]));
        const wanted = answer.groups.map((group) => [group.key[property] ?? '', digits(group.area, answer.decimals)]);
        const byName = (a, b) => a[0].localeCompare(b[0]);
        assert.deepEqual(rows.toSorted(byName), wanted.toSorted(byName), `${property} in ${unit}`);
      }
    });
  }
});

test('a bar filters the map and the figures, its chip takes the filter off again', async () => {
  const all = await api('/collections/parcels/statistics?group-by=town&unit=mu');
  const town = all.groups.find((group) => group.key.town !== null).key.town;
  const filter = encodeURIComponent(`town = '${town}'`);
  const some = await api(`/collections/parcels/statistics?group-by=status&unit=mu&filter=${filter}`);
  await onPage({}, async (page) => {
    const beforehand = await drawnOf(page, 'parcels:dust');
    await page.locator(`[data-group="parcels.town"] button[data-value="${town}"]`).click();
    await page.locator('.chips .chip').waitFor();
    await settled(page);
    assert.equal(await words(page.locator('[data-group="parcels.status"] [data-figure="total"]')), digits(some.total.area, some.decimals));
    const { features } = await api(`/collections/parcels/items?limit=10000&filter=${filter}`);
    const allowed = new Set(features.map((feature) => feature.id));
    const drawn = await drawnOf(page, 'parcels:dust');
    assert.ok(drawn.ids.length > 0 && drawn.ids.every((id) => allowed.has(id)), 'a parcel of another town is drawn');
    assert.equal(drawn.total, features.length, 'not every parcel of the town is drawn');
    assert.ok(drawn.total < beforehand.total);
    assert.ok(decodeURIComponent(page.url()).includes(`filter=parcels:town:${town}`), page.url());
    await shot(page, 'wide-filter-zh');
    await page.locator('.chips .chip').click();
    await settled(page);
    assert.deepEqual(await drawnOf(page, 'parcels:dust'), beforehand);
    assert.equal(await page.locator('.chips').count(), 0);
  });
});

test('the legend hides a class, and with Alt shows it alone, in the map', async () => {
  const statistics = await api('/collections/parcels/statistics?group-by=status&unit=mu');
  const one = statistics.groups.find((group) => group.key.status !== null);
  const first = one.key.status;
  await onPage({}, async (page) => {
    const statuses = () => page.evaluate(() => [...new Set(globalThis.mutu.map.queryRenderedFeatures({ layers: ['parcels:dust'] }).map((feature) => feature.properties.status))].toSorted());
    const button = page.locator('[data-legend="parcels"]').locator(`[data-class="${first}"]`);
    assert.match(await words(button), new RegExp(`\\b${one.count.toLocaleString('en-US')}\\b`), 'the count of the class');
    const before = await statuses();
    assert.ok(before.includes(first));
    const total = async () => (await drawnOf(page, 'parcels:dust')).total;
    const all = await total();
    await button.click();
    await settled(page);
    assert.deepEqual(await statuses(), before.filter((status) => status !== first));
    assert.equal(await total(), all - one.count, 'marks of several features count those of the hidden class');
    await button.focus();
    await page.keyboard.press('Enter');
    await settled(page);
    assert.deepEqual(await statuses(), before);
    await button.click({ modifiers: ['Alt'] });
    await settled(page);
    assert.deepEqual(await statuses(), [first]);
    assert.equal(await total(), one.count);
    assert.equal(await button.getAttribute('aria-pressed'), 'true');
    await page.getByRole('button', { name: '显示全部类别' }).click();
    await settled(page);
    assert.deepEqual(await statuses(), before);
  });
});

test('a layer is switched off and on by its checkbox', async () => {
  await onPage({}, async (page) => {
    const has = () => page.evaluate(() => Boolean(globalThis.mutu.map.getLayer('parcels:fill')));
    assert.equal(await has(), true);
    await page.getByRole('checkbox', { name: '显示图层 低效工业用地' }).uncheck();
    await settled(page);
    assert.equal(await has(), false);
    await page.getByRole('checkbox', { name: '显示图层 低效工业用地' }).check();
    await settled(page);
    assert.ok((await drawnIds(page, 'parcels:dust')).length > 0);
  });
});

test('the plan colours of the code list are the colours of the map', async () => {
  const schema = await api('/collections/landuse/schema');
  const codes = schema.properties.use_code.oneOf.filter((code) => code['x-color']);
  assert.ok(codes.length > 0, 'land use has plan colours');
  await onPage({ hash: '#layers=landuse' }, async (page) => {
    const paint = await page.evaluate(() => globalThis.mutu.map.getPaintProperty('landuse:fill', 'fill-color'));
    const used = await page.locator('[data-legend="landuse"] [data-class]').evaluateAll((all) => all.map((one) => one.dataset.class));
    for (const code of codes.filter((entry) => used.includes(entry.const))) {
      assert.equal(paint[paint.indexOf(code.const) + 1].toLowerCase(), code['x-color'].toLowerCase(), code.const);
    }
    await shot(page, 'wide-landuse-zh');
  });
});

test('a click names the parcel under it, with both areas of the API', async () => {
  const { parcel, middle } = await aParcel();
  const item = await api(`/collections/parcels/items/${parcel.id}`);
  await onPage({ hash: `#map=16/${middle[1].toFixed(5)}/${middle[0].toFixed(5)}&layers=county,towns,parcels` }, async (page) => {
    const at = await page.evaluate((place) => {
      const { x, y } = globalThis.mutu.map.project(place);
      const box = globalThis.mutu.map.getCanvas().getBoundingClientRect();
      return { x: box.left + x, y: box.top + y };
    }, middle);
    await page.mouse.move(at.x, at.y);
    await page.locator('.tip').waitFor();
    await page.mouse.click(at.x, at.y);
    const panel = page.locator(`[data-feature="parcels/${parcel.id}"]`);
    await panel.waitFor();
    for (const area of ['area_m2', 'area_planar_m2', 'area_mu', 'area_ha']) {
      assert.equal(await words(panel.locator(`[data-area="${area}"]`)), digits(item.properties[area]), area);
    }
    const shown = new Set(await panel.locator('[data-property]').evaluateAll((cells) => cells.map((cell) => cell.dataset.property)));
    for (const property of Object.keys(item.properties).filter((name) => !name.startsWith('area_'))) assert.ok(shown.has(property), `${property} is not shown`);
    assert.match(await words(page.locator('nav', { hasText: '此处还有' })), /县域|镇街/, 'the layers below are not named');
    assert.match(await words(page.locator('[aria-live="polite"]').last()), /已选择/);
    assert.ok(page.url().endsWith(`select=parcels/${parcel.id}`), page.url());
    await settled(page);
    await shot(page, 'wide-feature-zh');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !location.hash.includes('select='));
  });
});

test('what a parcel is called and copied is what the API says', async () => {
  const { parcel } = await aParcel();
  await browser.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(BASE).origin });
  await onPage({ hash: `#select=parcels/${parcel.id}` }, async (page) => {
    const panel = page.locator(`[data-feature="parcels/${parcel.id}"]`);
    await panel.getByRole('button', { name: '复制整行' }).click();
    await panel.getByRole('button', { name: '已复制' }).waitFor();
    const [heads, values] = (await page.evaluate(() => navigator.clipboard.readText())).trimEnd().split('\n').map((line) => line.split('\t'));
    assert.equal(heads.length, values.length);
    assert.equal(values[0], String(parcel.id));
    for (const area of ['area_m2', 'area_planar_m2', 'area_mu', 'area_ha']) assert.ok(values.includes(String(parcel.properties[area])), area);
    await page.getByRole('button', { name: '复制链接' }).click();
    await page.waitForFunction(async (end) => (await navigator.clipboard.readText()).endsWith(end), `/#select=parcels/${parcel.id}`);
  });
});

test('the copied curl command asks for the figure beside it', async () => {
  await browser.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: new URL(BASE).origin });
  await onPage({ hash: '#unit=ha' }, async (page) => {
    const card = page.locator('[data-group="parcels.status"]');
    await card.getByRole('button', { name: '复制 curl 命令' }).click();
    await card.getByRole('button', { name: '已复制' }).waitFor();
    const command = await page.evaluate(() => navigator.clipboard.readText());
    const [, url] = /^curl -s '(.*)'$/.exec(command) ?? [];
    const answer = await api(url.slice(BASE.length));
    assert.equal(await words(card.locator('[data-figure="total"]')), digits(answer.total.area, answer.decimals));
  });
});

test('the table reaches every feature by keyboard, page by page', async () => {
  const { numberMatched } = await api('/collections/parcels/items?limit=1');
  await onPage({ hash: '#table=parcels' }, async (page) => {
    const table = page.locator('[data-table="parcels"]');
    const frame = table.getByRole('region');
    const loaded = () => words(table.getByRole('status'));
    for (let turn = 0; turn < 200 && !(await loaded()).includes(`${numberMatched.toLocaleString('en-US')} / ${numberMatched.toLocaleString('en-US')}`); turn += 1) {
      const had = await loaded();
      await frame.evaluate((part) => part.scrollTo(0, part.scrollHeight));
      await page.waitForFunction(([before]) => document.querySelector('[data-table] [role="status"]')?.textContent.trim() !== before, [had]).catch(() => assert.fail(`the table stands still at ${had}`));
      await page.waitForFunction(() => document.querySelector('[data-table]')?.getAttribute('aria-busy') === 'false');
    }
    assert.equal(await table.locator('table').getAttribute('aria-rowcount'), String(numberMatched + 1));
    await frame.evaluate((part) => part.scrollTo(0, part.scrollHeight));
    const last = table.locator('tbody button').last();
    await last.focus();
    const id = (await words(last)).trim();
    await page.keyboard.press('Enter');
    await page.locator(`[data-feature="parcels/${id}"]`).waitFor();
    await settled(page);
    await shot(page, 'wide-table-zh');
  });
});

test('the map has the very features that items has in its box, of every layer with shapes', async () => {
  const { collections } = await api('/collections');
  const [west, south, east, north] = collections.find((layer) => layer.id === 'county').extent.spatial.bbox[0];
  const layers = collections.filter((layer) => layer.geometry === 'surface').map((layer) => layer.id);
  await onPage({ hash: `#map=12.2/${((south + north) / 2).toFixed(5)}/${((west + east) / 2 + 0.1).toFixed(5)}&layers=${layers.join(',')}` }, async (page) => {
    const box = await page.evaluate(() => {
      const { map } = globalThis.mutu;
      const { clientWidth, clientHeight } = map.getCanvas();
      const box = (by) => [map.unproject([-by, clientHeight + by]), map.unproject([clientWidth + by, -by])].flatMap(({ lng, lat }) => [lng, lat]);
      return { inner: box(-2), outer: box(2) };
    });
    const idsIn = async (layer, at) => (await api(`/collections/${layer}/items?limit=10000&bbox=${at.join(',')}`)).features.map((feature) => feature.id);
    for (const layer of layers) {
      const { ids, crowds } = await drawnOf(page, `${layer}:fill`);
      const [surely, perhaps] = [await idsIn(layer, box.inner), new Set(await idsIn(layer, box.outer))];
      assert.equal(crowds, 0, `${layer}: at this zoom the test needs features that are told apart`);
      // Within two pixels of the edge of the map either may be right.
      assert.deepEqual(surely.filter((id) => !ids.includes(id)), [], `${layer}: not drawn`);
      assert.deepEqual(ids.filter((id) => !perhaps.has(id)), [], `${layer}: drawn although elsewhere`);
    }
  });
});

test('an address that colours by what cannot be gathered says so and colours as usual', async () => {
  await onPage({ hash: '#by=parcels:area_mu,landuse:nothing' }, async (page) => {
    assert.match(await words(page.locator('.warning')), /by=parcels:area_mu.*by=landuse:nothing/);
    assert.equal((await drawnOf(page, 'parcels:dust')).total, (await api('/collections/parcels')).itemCount);
    await page.getByRole('button', { name: '关闭提示' }).click();
    assert.equal(await page.locator('.warning').count(), 0);
  });
});

test('a feature that is not there is said so', async () => {
  const { page } = await openPage(browser, { hash: '#select=parcels/999999999' });
  await page.getByText('没有编号为 999999999 的要素').waitFor();
  await page.close();
});

test('a link that is not understood says so and names the part', async () => {
  await onPage({ hash: '#layers=county,nowhere&zoom=3' }, async (page) => {
    const warning = await words(page.locator('.warning'));
    assert.match(warning, /zoom=3/);
    assert.match(warning, /nowhere/);
  });
});

test('the language switch turns every word, and the address keeps it', async () => {
  await onPage({}, async (page) => {
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('tab', { name: 'Overview' }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    assert.match(page.url(), /lang=en/);
    await settled(page);
    const chrome = await page.locator('button, h2, h3, th, label, summary, [role=status]').evaluateAll((parts) => parts.filter((part) => part.checkVisibility() && !part.closest('[lang="zh-CN"], tbody, li, [data-target]')).map((part) => part.textContent));
    assert.deepEqual(chrome.filter((text) => /\p{Script=Han}/u.test(text)), []);
    await shot(page, 'wide-en');
    await page.getByRole('button', { name: '中文' }).click();
    await page.getByRole('tab', { name: '总览' }).waitFor();
    assert.doesNotMatch(page.url(), /lang=/);
  });
});

test('reloading the address brings the same view back', async () => {
  const { parcel, middle } = await aParcel();
  const { town } = parcel.properties;
  const hash = `#map=14.5/${middle[1].toFixed(5)}/${middle[0].toFixed(5)}&layers=county,parcels,parks&by=parcels:use_code&filter=parcels:town:${encodeURIComponent(town)}&table=parcels&unit=ha&lang=en&select=parcels/${parcel.id}`;
  await onPage({ hash }, async (page) => {
    const state = async () => ({
      url: decodeURIComponent(page.url()),
      drawn: await drawnIds(page, 'parcels:fill'),
      chips: await words(page.locator('.chips')),
      feature: await page.locator('[data-feature]').getAttribute('data-feature'),
      colour: await page.evaluate(() => JSON.stringify(globalThis.mutu.map.getPaintProperty('parcels:fill', 'fill-color'))),
      layers: await page.getByRole('checkbox').evaluateAll((boxes) => boxes.map((box) => [box.getAttribute('aria-label'), box.checked])),
      centre: await page.evaluate(() => globalThis.mutu.map.getCenter().toArray().map((part) => part.toFixed(4))),
      table: await page.locator('[data-table]').getAttribute('data-table'),
    });
    const before = await state();
    assert.equal(before.feature, `parcels/${parcel.id}`);
    assert.ok(before.drawn.includes(parcel.id));
    await shot(page, 'wide-state-en');
    await page.reload();
    await page.locator('[data-feature]').waitFor();
    await settled(page);
    assert.deepEqual(await state(), before);
  });
});

/** Where the parts of the page are, and which controls are cut off or too small. Runs in the page. */
function measure() {
  const box = (part) => {
    const { left, right, top, bottom, width, height } = part.getBoundingClientRect();
    return { left, right, top, bottom, width, height };
  };
  const regions = ['header', 'aside', '.mapbox', '.panel', '.centre > .table'].flatMap((selector) => [...document.querySelectorAll(selector)].slice(0, 1).map((part) => ({ selector, ...box(part) })));
  const controls = [...document.querySelectorAll('button, select, input')].filter((part) => part.checkVisibility());
  const say = (part) => part.outerHTML.slice(0, 120);
  const small = controls.filter((part) => {
    // A checkbox is as large as the label that it is clicked by.
    const { width, height } = box(part.matches('input') ? part.closest('label') : part);
    return width < 23.5 || height < 23.5;
  });
  // What is cut off by its panel cannot be reached with a pointer; inside the table's own frame it is scrolled to.
  const cut = controls.filter((part) => {
    if (part.closest('.frame')) return false;
    const panel = box(part.closest('.scroll, aside, header, .mapbox, .table') ?? document.body);
    return box(part).left < panel.left - 1 || box(part).right > panel.right + 1;
  });
  return { scroll: document.documentElement.scrollWidth, width: innerWidth, regions, small: small.map(say), cut: cut.map(say) };
}

const VIEWS = [['overview', 'panel=overview'], ['layers', 'panel=layers'], ['feature', 'select=parcels/1'], ['table', 'table=parcels']];

for (const lang of ['zh-CN', 'en']) {
  for (const [name, size] of Object.entries(SIZES)) {
    test(`in ${lang} at ${size.width}×${size.height} nothing overlaps or runs out of the window, and axe finds no fault`, async () => {
      await onPage({ hash: `#lang=${lang}`, size }, async (page) => {
        for (const [view, hash] of VIEWS) {
          await page.evaluate((wanted) => { location.hash = wanted; }, `#lang=${lang}&${hash}`);
          await page.locator({ feature: '[data-feature="parcels/1"]', table: '[data-table="parcels"] tbody button', layers: '[data-legend]', overview: '[data-target]' }[view]).first().waitFor();
          await settled(page);
          await shot(page, `${name}-${view}-${lang}`);
          const layout = await page.evaluate(measure);
          assert.ok(layout.scroll <= layout.width, `${view} scrolls sideways: ${layout.scroll} > ${layout.width}`);
          for (const a of layout.regions) {
            assert.ok(a.left >= -0.5 && a.right <= size.width + 0.5 && a.bottom <= size.height + 0.5, `${view}: ${a.selector} runs out of the window`);
            for (const b of layout.regions) {
              const apart = a.right <= b.left + 0.5 || b.right <= a.left + 0.5 || a.bottom <= b.top + 0.5 || b.bottom <= a.top + 0.5;
              assert.ok(a === b || apart, `${view}: ${a.selector} covers ${b.selector}`);
            }
          }
          assert.deepEqual(layout.cut, [], `${view}: controls cut off by their panel`);
          assert.deepEqual(layout.small, [], `${view}: targets under 24 px`);
          assert.deepEqual(await axe(page), [], view);
        }
      });
    });
  }
}

// Opens the page in the machine's own Chromium and keeps account of everything that must not happen: errors on the console,
// requests to anywhere but the server under test. MUTU_URL names the server, MUTU_SHOTS a folder for screenshots.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const AXE = require.resolve('axe-core/axe.min.js');

const ARGS = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const DRAWING = ['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'];
const PATIENCE = 60_000;

export const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };

export const BASE = (() => {
  const url = process.env.MUTU_URL;
  if (!url) throw new Error('set MUTU_URL to the address of a running server, for example http://127.0.0.1:8080');
  return url.replace(/\/$/, '');
})();

/** The built program. */
export const MUTU = () => {
  const bin = process.env.MUTU_BIN;
  if (!bin) throw new Error('set MUTU_BIN to the built program');
  return bin;
};

/** A server of its own for a workspace: its address, and how to end it. */
export async function serve(workspace, options = []) {
  const server = spawn(MUTU(), ['serve', '--workspace', workspace, '--listen', '127.0.0.1:0', ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface({ input: server.stderr });
  return new Promise((resolve, reject) => {
    let tell;
    const link = new Promise((told) => (tell = told));
    lines.on('line', (line) => {
      // The one-time link for signing in comes behind the address.
      const key = /(http:\S+\/sign-in\?key=\S+)/.exec(line)?.[1];
      if (key) tell(key);
      const url = / is at (http:\S+)/.exec(line)?.[1];
      if (url) resolve({ url, link, stop: () => server.kill() });
    });
    lines.on('close', () => reject(new Error('the server did not start')));
  });
}

/** Signs the browser in by the link that the server printed, where changing needs it. */
export async function signIn(browser, server) {
  const { mayEdit } = await api('/session', server.url);
  if (mayEdit === true) return;
  const page = await browser.context.newPage();
  await page.goto(await server.link);
  await page.close();
}

/** A server of its own for a fresh demonstration workspace, which a test may change. */
export async function serveDemo(options = []) {
  const folder = mkdtempSync(join(tmpdir(), 'mutu-e2e-'));
  const workspace = join(folder, 'heshan.gpkg');
  execFileSync(MUTU(), ['seed', '--workspace', workspace], { stdio: 'ignore' });
  const server = await serve(workspace, options);
  return {
    ...server,
    workspace,
    stop() {
      server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Where a place of the Earth is on the page. */
export const onScreen = (page, lonLat) =>
  page.evaluate((at) => {
    const { map } = globalThis.mutu;
    const { x, y } = map.project(at);
    const { left, top } = map.getCanvas().getBoundingClientRect();
    return { x: left + x, y: top + y };
  }, lonLat);

/** Clicks on the map at places of the Earth, one after another. */
export async function clickAt(page, places) {
  for (const place of places) {
    const { x, y } = await onScreen(page, place);
    // terra-draw takes what was pointed at from the move before the click.
    await page.mouse.move(x - 2, y - 2);
    await page.mouse.move(x, y);
    await page.mouse.click(x, y);
  }
}

export async function dragFrom(page, from, to) {
  const [a, b] = [await onScreen(page, from), await onScreen(page, to)];
  await page.mouse.move(a.x, a.y);
  await page.mouse.down();
  for (const part of [0.25, 0.5, 0.75, 1]) await page.mouse.move(a.x + (b.x - a.x) * part, a.y + (b.y - a.y) * part);
  await page.mouse.up();
}

/** A browser with a fresh profile; `webgl: false` is a machine that cannot draw the map, `script: false` one where no page's script runs. */
export async function openBrowser({ webgl = true, script = true } = {}) {
  const executablePath = process.env.MUTU_CHROMIUM ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) throw new Error(`no browser at ${executablePath}: apt-get install chromium`);
  const profile = mkdtempSync(join(tmpdir(), 'mutu-e2e-'));
  const drawing = webgl ? DRAWING : ['--disable-gpu', '--disable-3d-apis'];
  const context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args: [...ARGS, ...drawing], viewport: SIZES.wide, locale: 'zh-CN', javaScriptEnabled: script });
  context.setDefaultTimeout(PATIENCE);
  return {
    context,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** A page at a fragment and a size, of the server under test or another, with its account of faults. */
export async function openPage(browser, { hash = '', size = SIZES.wide, base = BASE } = {}) {
  const page = await browser.context.newPage();
  await page.setViewportSize(size);
  const account = { errors: [], elsewhere: [], failed: [] };
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') account.errors.push(message.text());
  });
  page.on('pageerror', (error) => account.errors.push(String(error)));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.origin !== new URL(base).origin) account.elsewhere.push(request.url());
  });
  page.on('response', (response) => {
    if (response.status() >= 400) account.failed.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(`${base}/${hash}`, { waitUntil: 'load' });
  return { page, account };
}

/** Waits until the map has drawn everything that it asked for and no card waits for an answer. */
export async function settled(page, { map = true } = {}) {
  await page.waitForFunction(
    (wanted) => {
      const drawn = !wanted || document.querySelector('[data-idle="true"]') !== null;
      const waiting = [...document.querySelectorAll('.skeleton, [aria-busy="true"]')].some((part) => part.checkVisibility());
      return drawn && !waiting;
    },
    map,
    { timeout: PATIENCE },
  );
}

/**
 * What a style layer has on the screen: the ids of features, how many more the marks of several stand for, and how many features that
 * is in all. A feature that reaches into several tiles is one; a mark is in one tile only.
 */
export const drawnOf = (page, part) =>
  page.evaluate((layer) => {
    const features = globalThis.mutu.map.queryRenderedFeatures({ layers: [layer] });
    const several = features.filter((feature) => feature.properties._count > 1);
    const ids = [...new Set(features.filter((feature) => !several.includes(feature)).map((feature) => feature.id))].toSorted((a, b) => a - b);
    const crowds = several.reduce((sum, feature) => sum + feature.properties._count, 0);
    return { ids, crowds, total: ids.length + crowds };
  }, part);

/** The figures of the server, as text and as data, asked without the page. */
export async function api(path, base = BASE) {
  const answer = await fetch(base + path, { headers: { accept: 'application/json' } });
  if (!answer.ok) throw new Error(`${answer.status} at ${path}: ${await answer.text()}`);
  return answer.json();
}

/** The digits of a figure of the server as a person writes them. */
export function digits(value, decimals) {
  const text = typeof value === 'string' ? value : decimals === undefined ? String(value) : value.toFixed(decimals);
  const [whole, fraction] = text.split('.');
  const grouped = Number(whole).toLocaleString('en-US');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** The accessibility faults that axe-core finds, one line each. */
export async function axe(page) {
  // Put in from outside the page, whose own policy rightly forbids scripts that it did not bring.
  await page.evaluate(readFileSync(AXE, 'utf8'));
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return result.violations.map((violation) => `${violation.id}: ${violation.help} — ${violation.nodes.map((node) => node.target.join(' ')).slice(0, 4).join('; ')}`);
}

export async function shot(page, name) {
  const folder = process.env.MUTU_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { en } from './en';
import { text, valueTitle } from './text';
import { zh, type Key } from './zh';

const folder = fileURLToPath(new URL('..', import.meta.url));
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(svelte|ts)$/.test(name) && !name.endsWith('.test.ts'));
const read = (name: string): string => readFileSync(`${folder}/${name}`, 'utf8');
const keys = Object.keys(zh) as Key[];
const HAN = /\p{Script=Han}/u;

describe('the catalogs', () => {
  it('have the same keys and no empty text', () => {
    expect(Object.keys(en).toSorted()).toEqual(keys.toSorted());
    for (const key of keys) {
      expect(zh[key].trim(), key).not.toBe('');
      expect(en[key].trim(), key).not.toBe('');
    }
  });

  it('have the same gaps in both languages', () => {
    const gaps = (words: string): string[] => (words.match(/\{\w+\}/g) ?? []).toSorted();
    for (const key of keys) expect(gaps(en[key]), key).toEqual(gaps(zh[key]));
  });

  it('are in their own language', () => {
    for (const key of keys) if (key !== 'app.title') expect(HAN.test(en[key]), key).toBe(false);
  });

  it('fill their gaps', () => {
    expect(text('en', 'feature.crowd.surface', { layer: 'Parcels', n: '1,204' })).toBe('Parcels: 1,204 features here, zoom in');
    expect(text('zh-CN', 'feature.crowd.surface', { layer: '地块', n: '1,204' })).toBe('地块：此处有 1,204 个图斑，放大查看');
  });

  it('have no key that nothing uses', () => {
    const all = sources.filter((name) => !name.startsWith('i18n')).map(read).join('\n');
    const words = read('i18n/text.ts');
    const family = (key: string): boolean => words.includes(`\`${key.split('.')[0]}.\${`) || all.includes(`\`${key.slice(0, key.lastIndexOf('.') + 1)}\${`) || all.includes(`\`${key.split('.')[0]}.\${`);
    const unused = keys.filter((key) => !all.includes(`'${key}'`) && !family(key));
    expect(unused.filter((key) => !words.includes(key))).toEqual([]);
  });
});

describe('components', () => {
  const components = sources.filter((name) => name.endsWith('.svelte'));

  it('are all looked at', () => {
    expect(components.length).toBeGreaterThan(12);
  });

  it.each(components)('%s has no words of its own', (name) => {
    const source = read(name);
    const markup = source.replace(/<script[\s\S]*?<\/script>/g, '').replace(/<style[\s\S]*?<\/style>/g, '').replace(/<!--[\s\S]*?-->/g, '');
    expect(HAN.test(markup), 'Chinese in markup').toBe(false);
    const attributes = [...markup.matchAll(/\b(aria-label|title|placeholder|alt|label)="([^"]*)"/g)].map((found) => (found[2] ?? '').replace(/\{[^}]*\}/g, ''));
    for (const attribute of attributes) expect(/[A-Za-z]{2}/.test(attribute), `attribute "${attribute}"`).toBe(false);
    const bare = withoutBraces(markup).replace(/<[^>]*>/g, '\n');
    expect(bare.match(/[A-Za-z]{2,}/g) ?? [], 'words in markup').toEqual([]);
  });
});

/** Markup without what stands in braces, however deep, with the signs ">" inside attributes gone too. */
function withoutBraces(markup: string): string {
  let depth = 0;
  let kept = '';
  for (const sign of markup) {
    if (sign === '{') depth += 1;
    else if (sign === '}') depth -= 1;
    else if (depth === 0) kept += sign;
  }
  return kept;
}

describe('titles of values', () => {
  const kind = { oneOf: [{ const: '100101', title: '一类工业用地', 'x-title-en': 'Industrial class 1' }, { const: '线索', title: '线索', 'x-title-en': 'Clue' }] };

  it('come from the code list in the language of the reader, codes kept', () => {
    expect(valueTitle('zh-CN', '100101', kind)).toBe('100101 一类工业用地');
    expect(valueTitle('en', '线索', kind)).toBe('Clue');
    expect(valueTitle('en', '别的', kind)).toBe('别的');
    expect(valueTitle('en', null, kind)).toBe('(no value)');
  });
});

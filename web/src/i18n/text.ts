// Words for keys, and the titles that the data brings with it, in the language of the reader.

import type { Collection, Property } from '../api/types';
import type { Locale } from '../state/hash';
import { en } from './en';
import { zh, type Key } from './zh';

export type Words = Record<string, string | number>;

const catalogs: Record<Locale, Record<Key, string>> = { 'zh-CN': zh, en };

/** The text of a key with its gaps filled. */
export function text(locale: Locale, key: Key, words: Words = {}): string {
  return catalogs[locale][key].replace(/\{(\w+)\}/g, (gap, name: string) => (name in words ? String(words[name]) : gap));
}

/** What is wrong in the page's own words; null where it has none for the fault. */
export function findingText(locale: Locale, fault: string, words: Words = {}): string | null {
  const key = `finding.${fault}`;
  return key in zh ? text(locale, key as Key, words) : null;
}

export const layerTitle = (locale: Locale, layer: Collection): string => (locale === 'en' ? layer.title_en || layer.title : layer.title) || layer.id;

export const propertyTitle = (locale: Locale, name: string, property: Property | undefined): string =>
  (locale === 'en' ? property?.['x-title-en'] || property?.title : property?.title) || name;

/** What people call a value: its title in the code list, else the value itself. */
export function valueTitle(locale: Locale, value: string | null, property: Property | undefined): string {
  if (value === null || value === '') return text(locale, 'layers.noValue');
  const code = property?.oneOf?.find((entry) => String(entry.const) === value);
  if (!code) return value;
  const title = (locale === 'en' ? code['x-title-en'] || code.title : code.title) || value;
  return /^\d/.test(value) && !title.startsWith(value) ? `${value} ${title}` : title;
}

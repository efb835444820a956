// One feature as a row: which properties it has, in which order, and its text for a spreadsheet.

import type { Item, LayerSchema } from '../api/types';
import { valueText } from './figures';

/** The derived areas, which the panel shows apart. */
export const AREAS = ['area_m2', 'area_planar_m2', 'area_mu', 'area_ha'];

/** The properties in the order of the schema, then those that it does not know; without the derived areas. */
export function propertyNames(item: Item, schema: LayerSchema | undefined): string[] {
  const known = Object.keys(schema?.properties ?? {}).filter((name) => name in item.properties);
  const rest = Object.keys(item.properties).filter((name) => !known.includes(name));
  return [...known, ...rest].filter((name) => !AREAS.includes(name));
}

const cell = (value: unknown): string => valueText(value).replace(/[\t\r\n]+/g, ' ');

/** Two lines for a spreadsheet, titles and values, parted by tabs: every property and every area, nothing shortened. */
export function rowText(item: Item, properties: readonly string[], title: (property: string) => string): string {
  const names = [...properties, ...AREAS.filter((name) => name in item.properties)];
  const heads = ['id', ...names.map((name) => cell(title(name)))];
  const values = [String(item.id ?? ''), ...names.map((name) => cell(item.properties[name]))];
  return `${heads.join('\t')}\n${values.join('\t')}\n`;
}

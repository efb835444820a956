// Which colours a layer has: the statutory ones where its code list gives them, else ours, told apart also by colour-blind eyes.

import type { Collection, Group, LayerSchema, Property, Value } from '../api/types';

/** One line of the legend. */
export interface Class {
  /** The value as text; empty where there is none. */
  key: string;
  color: string;
  /** As the server counted; null for the gathered rest, which it did not count as one. */
  count: number | null;
  group: Group | null;
}

/** How many classes a property without code list may have before the rest is gathered as "other". */
export const MOST_CLASSES = 14;
const MOST_CODED = 60;
/** The key of the gathered rest. */
export const OTHER = '*';
export const OTHER_COLOR = '#b9bfbc';
const NO_VALUE_COLOR = '#d5d8d6';

const PALETTE = ['#4477aa', '#ee7733', '#228833', '#ccbb44', '#aa3377', '#66ccee', '#994455', '#997700', '#6699cc', '#ee99aa', '#004488', '#44aa99', '#882255', '#ddcc77'];

/** From clue to completion: the later the step, the deeper the green; the side exits are grey and red. */
const RAMP = ['#f2d16b', '#eebc5a', '#e8a24e', '#dd8850', '#c9b458', '#a9bb5f', '#86b868', '#62ad70', '#419d74', '#268a72', '#12766b', '#0a5f5c'];
const EXITS: Record<string, string> = { 暂缓: '#9aa3ad', 撤销: '#c06c6c' };

/** The control lines in the colours that planners draw them in. */
const KNOWN: Record<string, string> = { 永久基本农田: '#b39b00', 生态保护红线: '#c0392b', 城镇开发边界: '#6a3d9a' };

const LAYER_COLORS: Record<string, string> = {
  county: '#5d6b66',
  towns: '#8a9691',
  seats: '#33413c',
  parcels: '#c97b3c',
  parks: '#6b5fb5',
  belts: '#3d8f5f',
  villages: '#7b6a4c',
  constraints: '#b4453c',
  landuse: '#9db08b',
  supply: '#2b7fb8',
  projects: '#b03a7a',
};

export function layerColor(layer: Collection, order: number): string {
  return LAYER_COLORS[layer.id] ?? PALETTE[order % PALETTE.length] ?? OTHER_COLOR;
}

const FAVOURITES: Record<string, string[]> = {
  parcels: ['status'],
  landuse: ['use_code'],
  constraints: ['kind'],
  supply: ['stage', 'use'],
  projects: ['stage'],
};
const PLAIN = new Set(['county', 'towns', 'seats', 'villages', 'parks', 'belts']);

/** The properties that may colour or group a layer: short texts, codes, yes or no, whole numbers that are no ids. */
export function groupable(schema: LayerSchema | undefined): string[] {
  if (!schema) return [];
  return Object.entries(schema.properties)
    .filter(([name, property]) => isGroupable(name, property))
    .map(([name]) => name);
}

/** Whether tiles can gather features by a property: a stored one of words, whole numbers, days or truth values; no name means none. */
export function gathers(property: Property | undefined, name: string): boolean {
  if (name === '') return true;
  return property !== undefined && !property['x-ogc-role'] && !property.readOnly && !property.format?.startsWith('geometry') && property.type !== 'number';
}

function isGroupable(name: string, property: Property): boolean {
  if (property['x-ogc-role'] || property.readOnly || property.format?.startsWith('geometry')) return false;
  if (property.oneOf || property.type === 'boolean') return true;
  if (property.type === 'integer') return /year/i.test(name);
  if (property.type !== 'string' || property.format) return false;
  return !['code', 'code12', 'note', 'source', 'name'].includes(name);
}

/** The property that colours a layer when nobody chose. */
export function favourite(layer: string, schema: LayerSchema | undefined): string {
  const named = FAVOURITES[layer]?.find((name) => schema?.properties[name]);
  if (named) return named;
  if (PLAIN.has(layer)) return '';
  return groupable(schema).find((name) => name !== 'provenance' && schema?.properties[name]?.oneOf) ?? '';
}

/** The text by which a value is told apart on the map and in the legend. */
export const classKey = (value: Value | undefined): string => (value === null || value === undefined ? '' : String(value));

/** The legend of a layer: in the order of the code list, else the largest first; what is too much is gathered. */
export function classesOf(property: string, kind: Property | undefined, groups: readonly Group[]): Class[] {
  const codes = kind?.oneOf ?? [];
  const place = new Map(codes.map((code, order) => [String(code.const), order]));
  const ordered = [...groups].toSorted((a, b) => {
    const [left, right] = [classKey(a.key[property]), classKey(b.key[property])];
    const byList = (place.get(left) ?? Infinity) - (place.get(right) ?? Infinity);
    return Number.isNaN(byList) || byList === 0 ? b.count - a.count : byList;
  });
  const ramp = property === 'status' || property === 'stage';
  const most = codes.length > 0 ? MOST_CODED : MOST_CLASSES;
  const kept = ordered.length > most ? ordered.slice(0, most - 1) : ordered;
  const classes = kept.map((group, order): Class => {
    const key = classKey(group.key[property]);
    const listed = codes.find((code) => String(code.const) === key)?.['x-color'];
    return { key, color: listed ?? ownColor(key, ramp, order, kept.length), count: group.count, group };
  });
  const rest = ordered.slice(kept.length);
  if (rest.length > 0) classes.push({ key: OTHER, color: OTHER_COLOR, count: null, group: null });
  return classes;
}

function ownColor(key: string, ramp: boolean, order: number, total: number): string {
  if (key === '') return NO_VALUE_COLOR;
  if (KNOWN[key]) return KNOWN[key];
  if (!ramp) return PALETTE[order % PALETTE.length] ?? OTHER_COLOR;
  const exit = Object.entries(EXITS).find(([word]) => key.startsWith(word));
  if (exit) return exit[1];
  return RAMP[Math.round((order * (RAMP.length - 1)) / Math.max(1, total - 1))] ?? OTHER_COLOR;
}

// The whole view as the fragment of the address, and back. Pure: what is written is read back the same.

import type { Unit } from '../api/types';
import type { Clause } from './filters';
import { isMoment } from './moment';

export type Locale = 'zh-CN' | 'en';
export type Panel = 'layers' | 'overview' | 'feature' | 'changes';

export interface Camera {
  zoom: number;
  lat: number;
  lon: number;
}

export interface View {
  camera: Camera | null;
  /** The layers shown; null: the choice of the page for this workspace. */
  layers: string[] | null;
  /** The property that colours a layer, where it is not the page's choice; empty text: one colour. */
  colorBy: Record<string, string>;
  /** The classes of a layer that are hidden, by the text of their value. */
  hidden: Record<string, string[]>;
  filter: Clause[];
  select: { layer: string; id: string } | null;
  lang: Locale;
  unit: Unit;
  panel: Panel;
  /** The layer whose table is open. */
  table: string | null;
  /** The groupings of the overview, where they are not the page's choice. */
  groups: { layer: string; property: string }[] | null;
  /** The day or moment of which the page tells; null: now. */
  asof: string | null;
}

const PANELS: readonly Panel[] = ['layers', 'overview', 'feature', 'changes'];
export const UNITS: readonly Unit[] = ['mu', 'ha', 'km2'];

export const defaultView = (): View => ({
  camera: null,
  layers: null,
  colorBy: {},
  hidden: {},
  filter: [],
  select: null,
  lang: 'zh-CN',
  unit: 'mu',
  panel: 'overview',
  table: null,
  groups: null,
  asof: null,
});

/** The panel when the address names none: a selection opens its own. */
const panelFor = (select: View['select']): Panel => (select ? 'feature' : 'overview');

const SPECIAL = /[%,:;&=+#/\s"<>`]/g;
const token = (text: string): string => text.replace(SPECIAL, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

function untoken(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const join = (...parts: string[]): string => parts.map(token).join(':');
const pieces = (text: string): string[] => text.split(':').map(untoken);
const list = (text: string): string[] => text.split(',').filter((part) => part !== '');
const decimals = (value: number, places: number): string => String(Number(value.toFixed(places)));

/** The fragment of a view, without the "#"; what is the page's choice anyway is left out. */
export function formatHash(view: View): string {
  const parts: string[] = [];
  const put = (key: string, value: string): void => {
    parts.push(`${key}=${value}`);
  };
  if (view.camera) put('map', `${decimals(view.camera.zoom, 2)}/${decimals(view.camera.lat, 5)}/${decimals(view.camera.lon, 5)}`);
  if (view.layers) put('layers', view.layers.map(token).join(','));
  const colors = Object.entries(view.colorBy);
  if (colors.length > 0) put('by', colors.map(([layer, property]) => join(layer, property)).join(','));
  const hidden = Object.entries(view.hidden).filter(([, values]) => values.length > 0);
  if (hidden.length > 0) put('hide', hidden.map(([layer, values]) => join(layer, ...values)).join(','));
  if (view.filter.length > 0) put('filter', view.filter.map(({ layer, property, value }) => (value === null ? join(layer, property) : join(layer, property, value))).join(','));
  if (view.groups) put('groups', view.groups.map(({ layer, property }) => join(layer, property)).join(','));
  if (view.table !== null) put('table', token(view.table));
  if (view.panel !== panelFor(view.select)) put('panel', view.panel);
  if (view.asof !== null) put('asof', view.asof);
  if (view.unit !== 'mu') put('unit', view.unit);
  if (view.lang !== 'zh-CN') put('lang', view.lang);
  if (view.select) put('select', `${token(view.select.layer)}/${token(view.select.id)}`);
  return parts.join('&');
}

function cameraOf(text: string): Camera | null {
  const [zoom, lat, lon, ...rest] = text.split('/').map(Number);
  if (zoom === undefined || lat === undefined || lon === undefined || rest.length > 0) return null;
  const good = zoom >= 0 && zoom <= 24 && Math.abs(lat) <= 85 && Math.abs(lon) <= 180;
  return good ? { zoom, lat, lon } : null;
}

/** The view of a fragment, with or without "#". What cannot be read is left at the page's choice and named in `unread`. */
export function parseHash(hash: string): { view: View; unread: string[] } {
  const view = defaultView();
  const unread: string[] = [];
  let panelGiven = false;
  for (const part of hash.replace(/^#/, '').split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const key = at < 0 ? part : part.slice(0, at);
    panelGiven ||= key === 'panel';
    if (!readPart(view, key, at < 0 ? '' : part.slice(at + 1))) unread.push(untoken(part));
  }
  if (!panelGiven) view.panel = panelFor(view.select);
  return { view, unread };
}

function readPart(view: View, key: string, value: string): boolean {
  switch (key) {
    case 'map':
      view.camera = cameraOf(value);
      return view.camera !== null;
    case 'layers':
      view.layers = list(value).map(untoken);
      return true;
    case 'by':
      for (const [layer = '', property = ''] of list(value).map(pieces)) view.colorBy[layer] = property;
      return true;
    case 'hide':
      for (const [layer = '', ...values] of list(value).map(pieces)) view.hidden[layer] = values;
      return true;
    case 'filter':
      return readFilter(view, value);
    case 'groups':
      view.groups = list(value).map(pieces).map(([layer = '', property = '']) => ({ layer, property }));
      return true;
    case 'table':
      view.table = untoken(value);
      return true;
    case 'select':
      return readSelect(view, value);
    default:
      return readChoice(view, key, value);
  }
}

function readChoice(view: View, key: string, value: string): boolean {
  if (key === 'panel' && PANELS.some((panel) => panel === value)) view.panel = value as Panel;
  else if (key === 'asof' && isMoment(value)) view.asof = value;
  else if (key === 'unit' && UNITS.some((unit) => unit === value)) view.unit = value as Unit;
  else if (key === 'lang' && (value === 'en' || value === 'zh-CN')) view.lang = value;
  else return false;
  return true;
}

function readFilter(view: View, value: string): boolean {
  const clauses = list(value).map(pieces);
  const good = clauses.every((clause) => clause.length === 2 || clause.length === 3);
  if (good) view.filter = clauses.map(([layer = '', property = '', given]) => ({ layer, property, value: given ?? null }));
  return good;
}

function readSelect(view: View, value: string): boolean {
  const [layer, id, ...rest] = value.split('/').map(untoken);
  if (!layer || !id || rest.length > 0) return false;
  view.select = { layer, id };
  return true;
}

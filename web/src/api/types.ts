// What the server answers, as far as the page reads it. Nothing is computed here.

import type { Feature, Geometry } from 'geojson';

export type Provenance = 'real' | 'approximate' | 'synthetic' | 'imported';
export type GeometryClass = 'point' | 'line' | 'surface' | 'mixed' | 'none';
export type Unit = 'mu' | 'ha' | 'km2' | 'm2';
export type Basis = 'ellipsoidal' | 'planar';

/** West, south, east, north in degrees. */
export type Box = [number, number, number, number];

export interface Collection {
  id: string;
  title: string;
  title_en?: string;
  description?: string;
  provenance: Provenance;
  geometry: GeometryClass;
  itemCount: number;
  extent?: { spatial?: { bbox?: number[][] } };
  grid?: string;
}

export interface Code {
  const: string;
  title?: string;
  'x-title-en'?: string;
  'x-color'?: string;
}

export interface Property {
  title?: string;
  'x-title-en'?: string;
  type?: string;
  format?: string;
  'x-unit'?: string;
  'x-ogc-role'?: string;
  readOnly?: boolean;
  oneOf?: Code[];
}

export interface LayerSchema {
  properties: Record<string, Property>;
}

export type Value = string | number | boolean | null;
export type Item = Feature<Geometry | null, Record<string, unknown>>;

export interface ItemPage {
  features: Item[];
  numberMatched?: number;
  numberReturned?: number;
  links?: { rel: string; href: string }[];
}

export interface Group {
  key: Record<string, Value>;
  count: number;
  area: number | string | null;
  share: number | null;
}

export interface Statistics {
  layer: string;
  basis: Basis;
  unit: Unit;
  decimals: number;
  asOf?: string;
  definition?: { zh: string; en: string };
  groups: Group[];
  total: { count: number; area: number | string | null };
  overlap?: { area: number | string | null; pairs: number };
}

export interface Measured {
  basis: Basis;
  unit: string;
  /** The land; null where the target is a count or a percentage. */
  area?: number | string | null;
  /** What is reached in the unit of the target. */
  value?: number | string;
  decimals?: number;
  count?: number;
  share?: number | null;
  remaining?: number | string | null;
}

export interface Target {
  id: string;
  title: string;
  title_en?: string;
  direction?: string;
  value: number | string;
  /** An area unit, or a word for what is not an area. */
  unit: string;
  period?: { from?: string | null; to?: string | null } | null;
  sources?: { document: string; date?: string; text?: string }[];
  layer?: string;
  filter?: string | null;
  definition?: { zh: string; en: string };
  measured?: Measured | null;
}

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
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  pattern?: string;
  'x-ogc-propertySeq'?: number;
}

export interface LayerSchema {
  properties: Record<string, Property>;
  required?: string[];
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

/** A feature as the server has it now, with the tag by which a change of it says what its author saw. */
export interface Tagged {
  item: Item;
  etag: string;
}

/** What is wrong with, or worth a look at in, a change. */
export interface Finding {
  /** Only an error keeps the change from being saved. */
  severity?: 'error' | 'warning';
  /** A stable word for what is wrong. */
  fault?: string;
  message: string;
  layer?: string;
  id?: number | string;
  /** The property that it is about. */
  property?: string;
  /** The place that it is about, in degrees. */
  place?: [number, number];
  /** By how much the areas as printed differ before and after land was divided or joined, m². */
  printed_m2?: number;
}

export interface Areas {
  area_m2?: number | null;
  area_mu?: number | null;
}

export type Operation = 'added' | 'changed' | 'removed';

/** What an edit did, or would do, to one feature. */
export interface ChangeResult {
  layer: string;
  id: number | string;
  operation: Operation;
  version: number | null;
  before: Areas | null;
  after: Areas | null;
  parents?: (number | string)[];
}

export interface EditAnswer {
  /** Null where the edit was only tried. */
  seq: number | null;
  dryRun: boolean;
  note: string;
  author: string;
  changes: ChangeResult[];
  findings: Finding[];
}

/** One change of an edit, as `POST /changes` takes it. */
export type Change =
  | { put: { layer: string; feature: Item; version: number | null } }
  | { patch: { layer: string; id: number; version: number; properties?: Record<string, Value>; geometry?: Geometry | null } }
  | { delete: { layer: string; id: number; version: number } }
  | { split: { layer: string; id: number; version: number; line: Geometry } }
  | { merge: { layer: string; ids: number[]; versions: number[]; into?: number } };

export interface FeedLayer {
  id: string;
  /** Null where the layer was written whole. */
  added: number | null;
  changed: number | null;
  removed: number | null;
  bbox?: Box | null;
  whole?: boolean;
}

/** An entry of the feed: one edit, import or the like. */
export interface FeedEntry {
  seq: number;
  at: string;
  author: string;
  note: string;
  kind: string;
  hash: string;
  layers: FeedLayer[];
}

export interface Feed {
  changes: FeedEntry[];
  head: number;
  links?: { rel: string; href: string }[];
}

export interface ChangedFeature {
  layer: string;
  id: number | string;
  operation: Operation;
  before: Item | null;
  after: Item | null;
  parents?: (number | string)[];
  children?: (number | string)[];
}

export interface FeedDetail extends FeedEntry {
  features: ChangedFeature[];
  links?: { rel: string; href: string }[];
}

export interface Difference {
  property: string;
  before: Value;
  after: Value;
}

/** One version of a feature. */
export interface Version {
  version: number;
  at: string;
  author: string;
  note: string;
  kind: string;
  operation: Operation;
  area_m2?: { before: number | null; after: number | null } | null;
  geometryChanged: boolean;
  differences: Difference[];
  parents?: (number | string)[];
  children?: (number | string)[];
}

export interface ItemHistory {
  layer: string;
  id: number | string;
  /** The newest first. */
  versions: Version[];
}

/** Who looks, and what they may change. */
export interface Session {
  user: string | null;
  role: string;
  mayEdit: string[] | true;
  /** Where to sign in; null where nobody has to. */
  signIn: string | null;
  /** An identity provider where people may sign in as well: what it is called, and where that begins. */
  oidc?: { name: string; href: string };
}

/** What another program did to a layer and nobody has decided. */
export interface LayerWaiting {
  layer: string;
  title: string;
  /** What was done to its table as such. */
  faults: string[];
  waiting: number;
  features: { id: number; operation: Operation; reasons: string[] }[];
}

export interface Waiting {
  seq: number;
  layers: LayerWaiting[];
}

export interface Settled {
  seq: number | null;
  taken: number;
  refused: number;
  left: { layer: string; id?: number; reason: string }[];
}

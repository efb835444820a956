// How layers are drawn: MapLibre style layers per layer of the workspace, from bottom to top. Pure.

import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl';
import type { Collection } from '../api/types';
import { OTHER, OTHER_COLOR, type Class } from './colors';

/** How a layer looks now. */
export interface Look {
  layer: Collection;
  color: string;
  /** The property that colours it; empty: one colour. */
  property: string;
  classes: Class[];
  visible: boolean;
  /** The address of its tiles, with what they shall hold: the colouring property, names, and only the features that are wanted. */
  tiles: string;
  /** Grows with each change of the layer: tiles of before are read again. */
  revision: number;
  /** The property that is written on the map; empty: none. */
  label: string;
  /** Whether names stand at points of their own, one a feature, instead of in each tile. */
  pointed: boolean;
}

const INK = '#26332e';
const PAPER = '#f4f5f2';
const ACCENT = '#0f6b5c';
const OLD = '#a3261f';
/** A name only to satisfy MapLibre's font stack; the glyphs are drawn from the fonts of the machine. */
const FONT = ['sans-serif'];

/** Bottom to top; layers that are not named lie by their dimension. */
const ORDER: Record<string, number> = { county: 5, landuse: 10, towns: 18, constraints: 20, belts: 30, parks: 34, supply: 40, parcels: 44, villages: 70, projects: 74, seats: 78 };
const BY_GEOMETRY: Record<string, number> = { surface: 42, mixed: 43, line: 60, point: 72, none: 0 };

export const rank = (layer: Collection): number => ORDER[layer.id] ?? BY_GEOMETRY[layer.geometry] ?? 42;

/** Which layers are shown when nobody chose: the outline and the ledgers, not the full-cover and the crowded ones. */
export function shownAtFirst(layers: readonly Collection[]): string[] {
  const shapes = layers.filter((layer) => layer.geometry !== 'none');
  const demo = ['county', 'towns', 'seats', 'parks', 'parcels'];
  const known = shapes.filter((layer) => demo.includes(layer.id));
  if (known.length >= 3) return known.map((layer) => layer.id);
  return shapes.slice(0, 8).map((layer) => layer.id);
}

const key = (property: string): ExpressionSpecification => ['to-string', ['get', property]];

export function colorOf(look: Look): ExpressionSpecification | string {
  const classes = look.classes.filter((entry) => entry.key !== OTHER);
  if (look.property === '' || classes.length === 0) return look.color;
  const pairs = classes.flatMap((entry) => [entry.key, entry.color]);
  return ['match', key(look.property), ...pairs, OTHER_COLOR] as unknown as ExpressionSpecification;
}

export const sourceOf = (layer: string): string => `data:${layer}`;
export const labelSourceOf = (layer: string): string => `names:${layer}`;

/** A feature of a tile that stands for itself, not for several that are too small to be drawn. */
const SINGLE: ExpressionSpecification = ['<=', ['coalesce', ['get', '_count'], 1], 1];
/** A feature with a shape of its own, not the mark of one or more that are smaller than a pixel. */
const SHAPE: ExpressionSpecification = ['!', ['has', '_count']];

/** Where the shapes of a layer come from. */
const tiled = (id: string): { source: string; 'source-layer': string } => ({ source: sourceOf(id), 'source-layer': id });

const outlineOnly = new Set(['county', 'towns']);
const hover = (on: number, off: number): ExpressionSpecification => ['case', ['boolean', ['feature-state', 'hover'], false], on, off];

/** Surfaces so small from afar that each is also drawn wider than it is, so that none vanishes: all but the wide ones. */
const hasDust = (layer: Collection): boolean => (layer.geometry === 'surface' || layer.geometry === 'mixed') && !['county', 'towns', 'parks', 'belts', 'constraints', 'landuse'].includes(layer.id);

const fillOpacity: Record<string, number> = { landuse: 0.62, constraints: 0.16, parks: 0.14, belts: 0.18, supply: 0.6, parcels: 0.78 };

function surface(look: Look): LayerSpecification[] {
  const { id } = look.layer;
  const color = colorOf(look);
  const source = tiled(id);
  const outlined = outlineOnly.has(id);
  const wide = ['county', 'parks', 'belts', 'constraints'].includes(id);
  // An outline in another colour than the fill would hide what is no larger than itself.
  const contrasted = id === 'parcels' || id === 'landuse';
  const line: Record<string, unknown> = { 'line-color': id === 'parcels' || id === 'landuse' ? '#ffffff' : color, 'line-width': id === 'county' ? 2 : wide ? 1.6 : 0.7 };
  if (id === 'parcels') Object.assign(line, { 'line-color': INK, 'line-opacity': 0.45, 'line-width': ['interpolate', ['linear'], ['zoom'], 9, 0.1, 13, 0.8] });
  if (id === 'landuse') Object.assign(line, { 'line-opacity': 0.5, 'line-width': ['interpolate', ['linear'], ['zoom'], 9, 0.35, 12, 0.7] });
  if (id === 'towns') Object.assign(line, { 'line-dasharray': [4, 3], 'line-width': 1 });
  if (id === 'constraints') line['line-dasharray'] = [2, 1.5];
  return [
    { id: `${id}:fill`, type: 'fill', ...source, paint: { 'fill-color': id === 'county' ? '#ffffff' : color, 'fill-opacity': id === 'county' ? 0.6 : outlined ? 0 : (fillOpacity[id] ?? 0.5) } },
    { id: `${id}:line`, type: 'line', ...source, ...(contrasted ? { filter: SHAPE } : {}), layout: { 'line-join': 'round' }, paint: line as object },
    { id: `${id}:hover`, type: 'line', ...source, layout: { 'line-join': 'round' }, paint: { 'line-color': INK, 'line-width': 2.2, 'line-opacity': hover(1, 0) } },
  ];
}

function stroke(look: Look): LayerSpecification[] {
  const { id } = look.layer;
  return [
    { id: `${id}:line`, type: 'line', ...tiled(id), layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': colorOf(look), 'line-width': 2 } },
    { id: `${id}:hover`, type: 'line', ...tiled(id), layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': INK, 'line-width': 3.5, 'line-opacity': hover(1, 0) } },
  ];
}

function dot(look: Look): LayerSpecification[] {
  const { id } = look.layer;
  const radius = id === 'seats' ? 4 : id === 'villages' ? 3 : 5;
  return [
    {
      id: `${id}:circle`,
      type: 'circle',
      ...tiled(id),
      filter: ['==', ['geometry-type'], 'Point'],
      paint: { 'circle-color': colorOf(look), 'circle-radius': hover(radius + 2, radius), 'circle-stroke-color': '#ffffff', 'circle-stroke-width': 1.5 },
    },
  ];
}

/** The style layers of one layer of the workspace, without its names. */
export function drawn(look: Look): LayerSpecification[] {
  switch (look.layer.geometry) {
    case 'surface':
      return surface(look);
    case 'line':
      return stroke(look);
    case 'point':
      return dot(look);
    case 'none':
      return [];
    default:
      return [...surface(look), ...dot(look)];
  }
}

/** What lets small surfaces be seen from afar: an edge in their own colour under them, which fades where shapes become large enough. */
export function dust(look: Look): LayerSpecification[] {
  const { id } = look.layer;
  if (!hasDust(look.layer)) return [];
  return [
    {
      id: `${id}:dust`,
      type: 'line',
      ...tiled(id),
      filter: ['==', ['geometry-type'], 'Polygon'],
      maxzoom: 12.5,
      layout: { 'line-join': 'round' },
      paint: { 'line-color': colorOf(look), 'line-width': ['interpolate', ['linear'], ['zoom'], 8, 2, 11, 2.6], 'line-opacity': ['interpolate', ['linear'], ['zoom'], 11.3, 0.9, 12.3, 0] },
    },
  ];
}

/** The names of one layer, above all shapes; null where none is written. */
export function names(look: Look): LayerSpecification | null {
  const { id, geometry } = look.layer;
  if (look.label === '') return null;
  const text: ExpressionSpecification = ['to-string', ['get', look.label]];
  const size = id === 'county' ? 15 : id === 'seats' || id === 'parks' ? 13 : 12;
  const point = geometry === 'point';
  return {
    id: `${id}:names`,
    type: 'symbol',
    ...(look.pointed ? { source: labelSourceOf(id) } : tiled(id)),
    filter: ['all', ['!=', text, ''], SINGLE],
    // Of a layer too large for points of its own, names are written where most shapes are no longer smaller than a word.
    minzoom: id === 'villages' ? 11.5 : id === 'towns' ? 10.5 : point || look.pointed ? 0 : 13,
    layout: {
      'text-field': text,
      'text-font': FONT,
      'text-size': size,
      'text-max-width': 9,
      'text-padding': 4,
      ...(point ? { 'text-variable-anchor': ['left', 'right', 'top', 'bottom'], 'text-radial-offset': 0.7, 'text-justify': 'auto' } : {}),
      'symbol-sort-key': 100 - rank(look.layer),
    },
    paint: { 'text-color': id === 'parks' ? '#453a8c' : id === 'belts' ? '#1f5d3a' : id === 'towns' ? '#55625c' : INK, 'text-halo-color': '#ffffff', 'text-halo-width': 1.6 },
  };
}

/** Every id that `drawn` and `names` may give to a layer. */
export const styleIds = (layer: string): string[] => ['dust', 'fill', 'line', 'hover', 'circle', 'names'].map((part) => `${layer}:${part}`);

const EMPTY = { type: 'FeatureCollection' as const, features: [] };

/** The base: paper, graticule and, above all, the selection. No image, no tile, no font from anywhere. */
export function baseStyle(): StyleSpecification {
  return {
    version: 8,
    sources: { graticule: { type: 'geojson', data: EMPTY }, selection: { type: 'geojson', data: EMPTY }, beside: { type: 'geojson', data: EMPTY } },
    layers: [
      { id: 'paper', type: 'background', paint: { 'background-color': PAPER } },
      { id: 'graticule', type: 'line', source: 'graticule', filter: ['==', ['geometry-type'], 'LineString'], paint: { 'line-color': '#d9ddd8', 'line-width': 0.8 } },
      { id: 'selection:halo', type: 'line', source: 'selection', layout: { 'line-join': 'round' }, paint: { 'line-color': '#ffffff', 'line-width': 7, 'line-opacity': 0.95 } },
      { id: 'selection:line', type: 'line', source: 'selection', layout: { 'line-join': 'round' }, paint: { 'line-color': ACCENT, 'line-width': 3.2 } },
      // What is shown beside the selection: an old version of it, the parcels to be merged with it, places that something is wrong with.
      { id: 'beside:fill', type: 'fill', source: 'beside', filter: ['==', ['geometry-type'], 'Polygon'], paint: { 'fill-color': OLD, 'fill-opacity': 0.12 } },
      { id: 'beside:line', type: 'line', source: 'beside', filter: ['!=', ['geometry-type'], 'Point'], layout: { 'line-join': 'round' }, paint: { 'line-color': OLD, 'line-width': 2.4, 'line-dasharray': [2.5, 1.5] } },
      { id: 'beside:circle', type: 'circle', source: 'beside', filter: ['==', ['geometry-type'], 'Point'], paint: { 'circle-radius': 8, 'circle-color': 'rgba(0,0,0,0)', 'circle-stroke-color': OLD, 'circle-stroke-width': 3 } },
      {
        id: 'selection:circle',
        type: 'circle',
        source: 'selection',
        filter: ['==', ['geometry-type'], 'Point'],
        maxzoom: 24,
        paint: { 'circle-radius': 10, 'circle-color': 'rgba(0,0,0,0)', 'circle-stroke-color': ACCENT, 'circle-stroke-width': 3.2 },
      },
      {
        id: 'degrees',
        type: 'symbol',
        source: 'graticule',
        filter: ['==', ['geometry-type'], 'Point'],
        layout: { 'text-field': ['get', 'label'], 'text-font': FONT, 'text-size': 10.5, 'text-anchor': ['get', 'anchor'], 'text-offset': [0.3, 0] },
        paint: { 'text-color': '#626c67', 'text-halo-color': PAPER, 'text-halo-width': 1.4 },
      },
    ],
  };
}

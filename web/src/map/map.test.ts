import type { Polygon } from 'geojson';
import { describe, expect, it } from 'vitest';
import type { Collection, Group } from '../api/types';
import { classesOf, favourite, gathers, groupable, MOST_CLASSES, OTHER } from './colors';
import { degreeText, graticule, stepFor } from './graticule';
import { boxOf, labelPoint } from './labels';
import { drawn, dust, type Look, names, shownAtFirst, styleIds } from './style';

const group = (property: string, value: string | null, count: number): Group => ({ key: { [property]: value }, count, area: count, share: 0 });
const layer = (id: string, geometry: Collection['geometry'] = 'surface'): Collection => ({ id, title: id, provenance: 'imported', geometry, itemCount: 1 });

describe('the legend', () => {
  it('follows the order and the colours of the code list', () => {
    const kind = { oneOf: [{ const: '0101', 'x-color': '#f5f8dc' }, { const: '100101', 'x-color': '#bb9674' }] };
    const classes = classesOf('use', kind, [group('use', '100101', 9), group('use', '0101', 2)]);
    expect(classes.map((entry) => [entry.key, entry.color, entry.count])).toEqual([['0101', '#f5f8dc', 2], ['100101', '#bb9674', 9]]);
  });

  it('gathers what is too much and claims no count for it', () => {
    const groups = Array.from({ length: 40 }, (_, order) => group('owner', `o${order}`, 100 - order));
    const classes = classesOf('owner', undefined, groups);
    expect(classes).toHaveLength(MOST_CLASSES);
    expect(classes.at(-1)).toMatchObject({ key: OTHER, count: null });
    expect(classes[0]?.key).toBe('o0');
  });

  it('gives every class of a workflow its own colour', () => {
    const groups = Array.from({ length: 12 }, (_, order) => group('status', `s${order}`, 1));
    expect(new Set(classesOf('status', undefined, groups).map((entry) => entry.color)).size).toBe(12);
  });

  it('offers neither ids, names, areas nor dates to group by', () => {
    const properties = { fid: { type: 'integer', 'x-ogc-role': 'id' }, name: { type: 'string' }, town: { type: 'string' }, day: { type: 'string', format: 'date' }, area_m2: { type: 'number', readOnly: true }, open: { type: 'boolean' } };
    expect(groupable({ properties })).toEqual(['town', 'open']);
    expect(favourite('mine', { properties })).toBe('');
  });
});

describe('the style of a layer', () => {
  const look: Look = { layer: layer('parcels'), color: '#000', property: 'status', classes: [], visible: true, tiles: 'http://h/{z}/{y}/{x}', revision: 0, label: 'name', pointed: false };
  const parts = (of: Look) => [...drawn(of), ...dust(of), ...[names(of)].filter((part) => part !== null)];

  it('every style layer has an id by which it is taken off again', () => {
    for (const geometry of ['surface', 'line', 'point', 'mixed'] as const) {
      for (const part of parts({ ...look, layer: layer('l', geometry) })) expect(styleIds('l')).toContain(part.id);
    }
  });

  it('draws everything from tiles, names too unless they have points of their own', () => {
    for (const geometry of ['surface', 'line', 'point', 'mixed'] as const) {
      for (const part of parts({ ...look, layer: layer('地块', geometry) })) expect(part).toMatchObject({ source: 'data:地块', 'source-layer': '地块' });
    }
    const pointed = names({ ...look, pointed: true });
    expect(pointed).toMatchObject({ source: 'names:parcels' });
    expect(pointed).not.toHaveProperty('source-layer');
    expect(names({ ...look, label: '' })).toBeNull();
  });

  it('has no property that tiles cannot gather features by', () => {
    const stored = { type: 'string' };
    expect([stored, { type: 'integer' }, { type: 'boolean' }, { type: 'string', format: 'date' }].every((kind) => gathers(kind, 'p'))).toBe(true);
    expect([undefined, { type: 'number' }, { ...stored, readOnly: true }, { ...stored, 'x-ogc-role': 'id' }, { format: 'geometry-polygon' }].some((kind) => gathers(kind, 'p'))).toBe(false);
    expect(gathers(undefined, '')).toBe(true);
  });
});

describe('a workspace of the user', () => {
  it('shows its layers although none is known', () => {
    expect(shownAtFirst([layer('地块'), layer('roads', 'line'), layer('list', 'none')])).toEqual(['地块', 'roads']);
  });
});

describe('name points', () => {
  const horseshoe: Polygon = { type: 'Polygon', coordinates: [[[0, 0], [10, 0], [10, 10], [8, 10], [8, 2], [2, 2], [2, 10], [0, 10], [0, 0]]] };

  it('lie inside a shape whose middle lies outside', () => {
    const [x = -1, y = -1] = labelPoint(horseshoe) ?? [];
    expect(y > 2).toBe(true);
    expect((x > 0 && x < 2) || (x > 8 && x < 10)).toBe(true);
  });

  it('lie in the largest part of many', () => {
    const small = [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]];
    const large = [[[20, 20], [30, 20], [30, 30], [20, 30], [20, 20]]];
    expect(labelPoint({ type: 'MultiPolygon', coordinates: [small, large] })).toEqual([25, 25]);
  });

  it('boxes enclose every part and nothing has none', () => {
    expect(boxOf(horseshoe)).toEqual([0, 0, 10, 10]);
    expect(boxOf(null)).toBeNull();
    expect(boxOf({ type: 'MultiPolygon', coordinates: [] })).toBeNull();
  });
});

describe('the graticule', () => {
  it('writes degrees as a map sheet does', () => {
    expect(degreeText(112.5, 'E', 'W')).toBe('112°30′E');
    expect(degreeText(-0.0083333333, 'N', 'S')).toBe('0°00′30″S');
    expect(degreeText(22.9999999, 'N', 'S')).toBe('23°00′N');
  });

  it('has a handful of lines at any zoom', () => {
    for (const width of [0.01, 0.1, 0.7, 3, 20, 100, 360]) {
      const across = graticule([112, 22, 112 + width, 22.01]).features.filter((line) => line.geometry.type === 'LineString').length;
      expect(across, `width ${width}, step ${stepFor(width)}`).toBeLessThanOrEqual(40);
    }
  });
});

import type { Geometry, Position } from 'geojson';
import { describe, expect, it } from 'vitest';
import type { Item, LayerSchema } from '../api/types';
import { fieldsOf, readForm } from './fields';
import { merged, mergeRows, SHAPE } from './merging';
import { follow, forDrawing, Originals, piecesOf, shapeOf, stretchesOf } from './shapes';

const schema: LayerSchema = {
  required: ['code'],
  properties: {
    geometry: { format: 'geometry-polygon-or-multipolygon', 'x-ogc-role': 'primary-geometry' },
    code: { title: '编号', type: 'string', maxLength: 4 },
    status: { type: 'string', oneOf: [{ const: '线索', title: '线索' }] },
    far: { type: 'number', minimum: 0, maximum: 5 },
    year: { type: 'integer' },
    on: { type: 'string', format: 'date' },
    open: { type: 'boolean' },
    provenance: { type: 'string' },
    area_m2: { type: 'number', readOnly: true },
  },
};
const fields = fieldsOf(schema);
const item = (properties: Record<string, unknown>, geometry: Geometry | null = null): Item => ({ type: 'Feature', id: 1, geometry, properties });

describe('the form of a layer', () => {
  it('has the fields that people may type in, and no other', () => {
    expect(fields.map((field) => [field.name, field.kind, field.required])).toEqual([
      ['code', 'text', true],
      ['status', 'code', false],
      ['far', 'number', false],
      ['year', 'integer', false],
      ['on', 'date', false],
      ['open', 'boolean', false],
    ]);
  });

  it('sends what was changed, and nothing that was not', () => {
    const now = item({ code: 'A-1', status: '线索', far: 1.2, year: 2024, on: null, open: null });
    expect(readForm(fields, { code: 'A-1', far: '1.20', year: '2025', status: '' }, now)).toEqual({ values: { year: 2025, status: null }, problems: {} });
  });

  it('leaves an old value alone that breaks a rule of today', () => {
    expect(readForm(fields, {}, item({ code: null, far: 9 }))).toEqual({ values: {}, problems: {} });
  });

  it('says what is wrong at the field', () => {
    const { problems } = readForm(fields, { code: 'too long', far: '5.01', year: '2024.5' }, item({}));
    expect(problems).toEqual({ code: { problem: 'tooLong', limit: 4 }, far: { problem: 'tooLarge', limit: 5 }, year: { problem: 'integer' } });
    expect(readForm(fields, {}, null).problems).toEqual({ code: { problem: 'required' } });
    for (const text of ['0x10', 'Infinity', '1,5', '--1']) expect(readForm(fields, { far: text }, item({})).problems['far']?.problem, text).toBe('number');
    expect(readForm(fields, { year: '9007199254740993' }, item({})).problems['year']?.problem).toBe('integer');
  });

  it('does not take a word of a text field for nothing because of its spaces', () => {
    expect(readForm(fields, { code: ' A' }, item({})).values).toEqual({ code: ' A' });
  });
});

describe('merging with what another saved', () => {
  const base = item({ a: 1, b: 1, c: 1, d: 1, e: 1 });
  const theirs = item({ a: 2, b: 1, c: 2, d: 2, e: 1 });
  const rows = mergeRows(base, theirs, { b: 3, c: 3, d: 2 }, null, ['a', 'b', 'c', 'd', 'e']);

  it('shows every field that either changed, and asks only where both did', () => {
    expect(rows.map(({ name, clash, side }) => [name, clash, side])).toEqual([
      ['a', false, 'theirs'],
      ['b', false, 'mine'],
      ['c', true, null],
      ['d', false, 'theirs'],
    ]);
  });

  it('saves nothing before a clash is decided, and then just what differs from theirs', () => {
    expect(merged(rows, {})).toBeNull();
    expect(merged(rows, { c: 'mine' })).toEqual({ values: { b: 3, c: 3 }, shape: null });
    expect(merged(rows, { c: 'theirs', a: 'mine' })).toEqual({ values: { a: 1, b: 3 }, shape: null });
  });

  it('treats the shape as one more field', () => {
    const [before, after, other]: [Geometry, Geometry, Geometry] = [{ type: 'Point', coordinates: [0, 0] }, { type: 'Point', coordinates: [1, 1] }, { type: 'Point', coordinates: [2, 2] }];
    const shapes = mergeRows(item({}, before), item({}, other), {}, after, []);
    expect(shapes.map(({ name, clash }) => [name, clash])).toEqual([[SHAPE, true]]);
    expect(merged(shapes, { [SHAPE]: 'mine' })?.shape).toEqual(after);
    expect(mergeRows(item({}, before), item({}, before), {}, after, [])[0]?.side).toBe('mine');
  });
});

const long = 112.94460007712345;
const ring: Position[] = [[long, 22.7], [113, 22.7], [113, 22.8], [long, 22.8], [long, 22.7]];

describe('shapes', () => {
  const hole: Position[] = [[112.96, 22.74], [112.97, 22.75], [112.97, 22.74], [112.96, 22.74]];
  const shapes: Geometry[] = [
    { type: 'Point', coordinates: [1, 2] },
    { type: 'MultiPoint', coordinates: [[1, 2]] },
    { type: 'LineString', coordinates: ring },
    { type: 'MultiLineString', coordinates: [ring, hole] },
    { type: 'Polygon', coordinates: [ring, hole] },
    { type: 'MultiPolygon', coordinates: [[ring, hole], [hole]] },
    { type: 'MultiPolygon', coordinates: [[ring]] },
  ];

  it.each(shapes)('comes apart and together again as it was: $type', (shape) => {
    expect(shapeOf(piecesOf(shape), shape)).toEqual(shape);
  });

  it('gives vertices back bit for bit that nobody moved', () => {
    const originals = new Originals();
    originals.add({ type: 'Polygon', coordinates: [ring] });
    const drawn = forDrawing(ring);
    expect(drawn[0]).toEqual([112.944600077, 22.7]);
    expect(originals.exact([...drawn.slice(0, 2), [113.5, 22.75], ...drawn.slice(2)])).toEqual([...ring.slice(0, 2), [113.5, 22.75], ...ring.slice(2)]);
  });

  it('takes the neighbour\'s vertex where one was snapped to it, but its own first', () => {
    const originals = new Originals();
    const near = long + 1e-12;
    originals.add({ type: 'Polygon', coordinates: [ring] });
    originals.add({ type: 'Point', coordinates: [near, 22.7] });
    originals.add({ type: 'Point', coordinates: [114.00000000012, 22] });
    expect(originals.exact([[112.944600077, 22.7], [114, 22]])).toEqual([[long, 22.7], [114.00000000012, 22]]);
  });
});

describe('neighbours that follow a moved edge', () => {
  // Two squares side by side: the edge x = 1 is common, and told in opposite directions.
  const left: Position[] = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]];
  const right: Geometry = { type: 'Polygon', coordinates: [[[1, 0], [2, 0], [2, 1], [1, 1], [1, 0]]] };
  const closed = (geometry: Geometry | null): Position[] => (geometry?.type === 'Polygon' ? (geometry.coordinates[0] ?? []) : []);
  const corners = (geometry: Geometry | null): string[] => closed(geometry).slice(0, -1).map(String).toSorted();

  it('follow a corner', () => {
    const stretches = stretchesOf(left, [[0, 0], [1.1, 0], [1, 1], [0, 1], [0, 0]]);
    expect(stretches).toEqual([{ from: [0, 0], to: [1, 1], old: [[1, 0]], now: [[1.1, 0]] }]);
    expect(corners(follow(right, stretches))).toEqual(['1,1', '1.1,0', '2,0', '2,1']);
  });

  it('follow a vertex that was put into the common edge, and one that was taken out', () => {
    const bent: Position[] = [[0, 0], [1, 0], [1.2, 0.5], [1, 1], [0, 1], [0, 0]];
    const into = follow(right, stretchesOf(left, bent));
    const where = closed(into).findIndex((position) => position[0] === 1.2);
    expect([closed(into)[where - 1], closed(into)[where + 1]]).toEqual(expect.arrayContaining([[1, 0], [1, 1]]));
    expect(corners(follow(into, stretchesOf(bent, left)))).toEqual(corners(right));
  });

  it('follow a whole edge that was moved', () => {
    const moved: Position[] = [[0, 0], [1.3, 0], [1.3, 1], [0, 1], [0, 0]];
    const stretches = stretchesOf(left, moved);
    expect(stretches).toEqual([{ from: [0, 0], to: [0, 1], old: [[1, 0], [1, 1]], now: [[1.3, 0], [1.3, 1]] }]);
    expect(corners(follow(right, stretches))).toEqual(['1.3,0', '1.3,1', '2,0', '2,1']);
  });

  it('stay the very same where nothing of theirs was moved', () => {
    const far: Position[] = [[-0.1, 0], [1, 0], [1, 1], [0, 1], [-0.1, 0]];
    expect(follow(right, stretchesOf(left, far))).toBeNull();
    expect(stretchesOf(left, left)).toEqual([]);
  });
});

// Shapes between the server and the drawing tool, which knows single rings and nine decimals: vertices that nobody moved go back bit
// for bit, those that were snapped to a neighbour's are the neighbour's, and a neighbour's edge can follow the one that was moved.

import type { Geometry, Position } from 'geojson';

/** Decimals of a degree in the drawing tool: a tenth of a millimetre. */
export const DECIMALS = 9;

/** One ring, line or point of a shape, and where it belongs. */
export interface Piece {
  kind: 'ring' | 'line' | 'point';
  part: number;
  ring: number;
  positions: Position[];
}

const rounded = (position: Position): Position => [Number((position[0] ?? 0).toFixed(DECIMALS)), Number((position[1] ?? 0).toFixed(DECIMALS))];
const keyOf = (position: Position): string => rounded(position).join();

export function piecesOf(geometry: Geometry | null): Piece[] {
  if (!geometry) return [];
  const rings = (polygon: Position[][], part: number): Piece[] => polygon.map((positions, ring) => ({ kind: 'ring', part, ring, positions }));
  switch (geometry.type) {
    case 'Point':
      return [{ kind: 'point', part: 0, ring: 0, positions: [geometry.coordinates] }];
    case 'MultiPoint':
      return geometry.coordinates.map((position, part) => ({ kind: 'point', part, ring: 0, positions: [position] }));
    case 'LineString':
      return [{ kind: 'line', part: 0, ring: 0, positions: geometry.coordinates }];
    case 'MultiLineString':
      return geometry.coordinates.map((positions, part) => ({ kind: 'line', part, ring: 0, positions }));
    case 'Polygon':
      return rings(geometry.coordinates, 0);
    case 'MultiPolygon':
      return geometry.coordinates.flatMap(rings);
    default:
      return [];
  }
}

/** The shape of pieces, of the kind that it was (`like`), or a simple one where it is new. */
export function shapeOf(pieces: readonly Piece[], like: Geometry | null): Geometry | null {
  const [first] = pieces;
  if (!first) return null;
  const multiple = like?.type.startsWith('Multi') ?? false;
  const parts: Position[][][] = [];
  for (const piece of [...pieces].sort((a, b) => a.part - b.part || a.ring - b.ring)) (parts[piece.part] ??= []).push(piece.positions);
  const kept = parts.filter((part) => part.length > 0);
  if (first.kind === 'ring') return multiple || kept.length > 1 ? { type: 'MultiPolygon', coordinates: kept } : { type: 'Polygon', coordinates: kept[0] ?? [] };
  const lines = kept.map((part) => part[0] ?? []);
  if (first.kind === 'line') return multiple || lines.length > 1 ? { type: 'MultiLineString', coordinates: lines } : { type: 'LineString', coordinates: lines[0] ?? [] };
  const points = lines.map((line) => line[0] ?? []);
  return multiple || points.length > 1 ? { type: 'MultiPoint', coordinates: points } : { type: 'Point', coordinates: points[0] ?? [] };
}

/** What the drawing tool is given: two numbers of nine decimals a vertex, and no vertex twice in a row. */
export function forDrawing(positions: readonly Position[]): Position[] {
  return positions.map(rounded).filter((position, order, all) => order === 0 || position.join() !== all[order - 1]?.join());
}

/** Vertices as the server gave them, by what the drawing tool makes of them. Those named first go before. */
export class Originals {
  private readonly known = new Map<string, Position>();

  add(geometry: Geometry | null): void {
    for (const { positions } of piecesOf(geometry)) {
      for (const position of positions) {
        const key = keyOf(position);
        if (!this.known.has(key)) this.known.set(key, position);
      }
    }
  }

  /** The vertices as they were; new ones as they are. */
  exact(positions: readonly Position[]): Position[] {
    return positions.map((position) => this.known.get(keyOf(position)) ?? position);
  }

  get positions(): Position[] {
    return [...this.known.values()];
  }
}

/** A stretch of a ring that was changed between two vertices that stayed: what stood between them and what stands there now. */
export interface Stretch {
  from: Position;
  to: Position;
  old: Position[];
  now: Position[];
}

const equal = (a: Position | undefined, b: Position | undefined): boolean => a !== undefined && b !== undefined && keyOf(a) === keyOf(b);
const open = (ring: readonly Position[]): Position[] => (ring.length > 1 && equal(ring[0], ring.at(-1)) ? ring.slice(0, -1) : [...ring]);

/** What changed of a ring, stretch by stretch; none where no vertex stayed. */
export function stretchesOf(before: readonly Position[], after: readonly Position[]): Stretch[] {
  const [old, now] = [open(before), open(after)];
  const stayed = new Set(now.map(keyOf));
  const anchor = old.findIndex((position) => stayed.has(keyOf(position)));
  if (anchor < 0) return [];
  const start = old[anchor] as Position;
  const at = now.findIndex((position) => equal(position, start));
  const left = [...old.slice(anchor), ...old.slice(0, anchor), start];
  const right = [...now.slice(at), ...now.slice(0, at), start];
  const found: Stretch[] = [];
  let [i, j] = [0, 0];
  while (i < left.length - 1) {
    // The next vertex of the old ring that stands in the new one behind where we are.
    let [di, dj] = [1, -1];
    for (; i + di < left.length; di += 1) {
      dj = right.findIndex((position, order) => order > j && equal(position, left[i + di]));
      if (dj > 0) break;
    }
    if (dj < 0) return found;
    const [between, instead] = [left.slice(i + 1, i + di), right.slice(j + 1, dj)];
    if (between.length > 0 || instead.length > 0) found.push({ from: left[i] as Position, to: left[i + di] as Position, old: between, now: instead });
    [i, j] = [i + di, dj];
  }
  return found;
}

/** A ring whose edge followed a stretch that it shares; the very same ring where it shares none. */
function followRing(ring: Position[], stretches: readonly Stretch[]): Position[] {
  let vertices = open(ring);
  let moved = false;
  for (const { from, to, old, now } of stretches) {
    for (const [a, b, was, becomes] of [[from, to, old, now], [to, from, old.toReversed(), now.toReversed()]] as const) {
      const wanted = [a, ...was, b];
      const at = vertices.findIndex((_, start) => wanted.every((position, step) => equal(vertices[(start + step) % vertices.length], position)));
      if (at < 0 || vertices.length < wanted.length) continue;
      const turned = [...vertices.slice(at), ...vertices.slice(0, at)];
      // The ring keeps its own spelling of the vertices that stay.
      vertices = [turned[0] as Position, ...becomes, ...turned.slice(was.length + 1)];
      moved = true;
      break;
    }
  }
  // Where a neighbour touches with a part of the stretch or a corner alone, each vertex that was moved goes along.
  const gone = new Map(stretches.filter(({ old, now }) => old.length === now.length).flatMap(({ old, now }) => old.map((position, order) => [keyOf(position), now[order] as Position])));
  vertices = vertices.map((position) => {
    const instead = gone.get(keyOf(position));
    moved ||= instead !== undefined;
    return instead ?? position;
  });
  return moved ? [...vertices, vertices[0] as Position] : ring;
}

/** A neighbour whose edges follow those that were changed; null where none of them is its own. */
export function follow(neighbour: Geometry | null, stretches: readonly Stretch[]): Geometry | null {
  const pieces = piecesOf(neighbour);
  const moved = pieces.map((piece) => (piece.kind === 'ring' ? { ...piece, positions: followRing(piece.positions, stretches) } : piece));
  return moved.some((piece, order) => piece.positions !== pieces[order]?.positions) ? shapeOf(moved, neighbour) : null;
}

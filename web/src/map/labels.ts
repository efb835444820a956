// Where the name of a surface is written: one point inside its largest part, so that a name is not repeated at tile seams.

import type { Geometry, Position } from 'geojson';

type Ring = Position[];

const x = (position: Position | undefined): number => position?.[0] ?? 0;
const y = (position: Position | undefined): number => position?.[1] ?? 0;

function twiceArea(ring: Ring): number {
  let sum = 0;
  for (let i = 1; i < ring.length; i += 1) sum += x(ring[i - 1]) * y(ring[i]) - x(ring[i]) * y(ring[i - 1]);
  return sum;
}

/** The middle of the widest stretch inside the polygon on a few horizontal lines near its middle. */
function insidePoint(polygon: Ring[]): Position {
  const outer = polygon[0] ?? [];
  const ys = outer.map(y);
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  let best: { width: number; at: Position } = { width: -1, at: outer[0] ?? [0, 0] };
  for (const part of [0.5, 0.42, 0.58, 0.34, 0.66]) {
    const level = low + (high - low) * part;
    const cuts = polygon.flatMap((ring) => crossings(ring, level)).toSorted((a, b) => a - b);
    for (let i = 0; i + 1 < cuts.length; i += 2) {
      const [from = 0, to = 0] = [cuts[i], cuts[i + 1]];
      if (to - from > best.width * 1.15) best = { width: to - from, at: [(from + to) / 2, level] };
    }
  }
  return best.at;
}

function crossings(ring: Ring, level: number): number[] {
  const found: number[] = [];
  for (let i = 1; i < ring.length; i += 1) {
    const [a, b] = [ring[i - 1], ring[i]];
    if (y(a) > level === y(b) > level) continue;
    found.push(x(a) + ((level - y(a)) / (y(b) - y(a))) * (x(b) - x(a)));
  }
  return found;
}

/** The point for the name of a geometry; null where there is nothing to name. */
export function labelPoint(geometry: Geometry | null): Position | null {
  if (!geometry) return null;
  switch (geometry.type) {
    case 'Point':
      return geometry.coordinates;
    case 'MultiPoint':
      return geometry.coordinates[0] ?? null;
    case 'LineString':
      return geometry.coordinates[Math.floor(geometry.coordinates.length / 2)] ?? null;
    case 'MultiLineString':
      return geometry.coordinates[0]?.[0] ?? null;
    case 'Polygon':
      return insidePoint(geometry.coordinates);
    case 'MultiPolygon': {
      const largest = geometry.coordinates.toSorted((a, b) => Math.abs(twiceArea(b[0] ?? [])) - Math.abs(twiceArea(a[0] ?? [])))[0];
      return largest ? insidePoint(largest) : null;
    }
    default:
      return null;
  }
}

/** West, south, east, north of a geometry; null where it is empty. */
export function boxOf(geometry: Geometry | null): [number, number, number, number] | null {
  const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  const visit = (part: unknown): void => {
    if (!Array.isArray(part)) return;
    if (typeof part[0] === 'number' && typeof part[1] === 'number') {
      box[0] = Math.min(box[0], part[0]);
      box[1] = Math.min(box[1], part[1]);
      box[2] = Math.max(box[2], part[0]);
      box[3] = Math.max(box[3], part[1]);
      return;
    }
    for (const inner of part) visit(inner);
  };
  if (!geometry) return null;
  if (geometry.type === 'GeometryCollection') for (const part of geometry.geometries) visit('coordinates' in part ? part.coordinates : null);
  else visit(geometry.coordinates);
  return Number.isFinite(box[0]) ? box : null;
}

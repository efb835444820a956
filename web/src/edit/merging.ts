// Three versions of one feature side by side: what both started from, what another saved since, what one wants oneself.

import type { Geometry } from 'geojson';
import type { Item, Value } from '../api/types';

/** The name under which the shape stands among the fields. */
export const SHAPE = 'geometry';

export type Side = 'theirs' | 'mine';

export interface Row {
  /** A property, or `SHAPE`. */
  name: string;
  base: Value | Geometry;
  theirs: Value | Geometry;
  mine: Value | Geometry;
  /** Both changed it, each differently: somebody has to choose. */
  clash: boolean;
  /** What is taken when nobody chooses; null where somebody has to. */
  side: Side | null;
}

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

function rowOf(name: string, base: unknown, theirs: unknown, mine: unknown): Row[] {
  const [they, me] = [!same(base, theirs), !same(base, mine)];
  if (!they && !me) return [];
  const agreed = same(theirs, mine);
  const clash = they && me && !agreed;
  const side = clash ? null : me && !agreed ? 'mine' : 'theirs';
  return [{ name, base: (base ?? null) as Row['base'], theirs: (theirs ?? null) as Row['theirs'], mine: (mine ?? null) as Row['mine'], clash, side }];
}

/** Every field that either changed. `values` and `shape` are what one wants to change oneself. */
export function mergeRows(base: Item, theirs: Item, values: Record<string, Value>, shape: Geometry | null, names: readonly string[]): Row[] {
  const rows = names.flatMap((name) => {
    const before = base.properties[name];
    return rowOf(name, before, theirs.properties[name], name in values ? values[name] : before);
  });
  return [...rows, ...rowOf(SHAPE, base.geometry, theirs.geometry, shape ?? base.geometry)];
}

/** What is to be saved against their version: the chosen fields that differ from it. Null while a clash is undecided. */
export function merged(rows: readonly Row[], chosen: Record<string, Side>): { values: Record<string, Value>; shape: Geometry | null } | null {
  const outcome: { values: Record<string, Value>; shape: Geometry | null } = { values: {}, shape: null };
  for (const row of rows) {
    const side = chosen[row.name] ?? row.side;
    if (side === null) return null;
    if (side === 'theirs' || same(row.mine, row.theirs)) continue;
    if (row.name === SHAPE) outcome.shape = row.mine as Geometry;
    else outcome.values[row.name] = row.mine as Value;
  }
  return outcome;
}

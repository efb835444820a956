// Conditions that a click adds: "this property of this layer has this value", and their CQL2 text.

import type { Property } from '../api/types';

export interface Clause {
  layer: string;
  property: string;
  /** The value as text; null where the property has none. */
  value: string | null;
}

export const sameClause = (a: Clause, b: Clause): boolean => a.layer === b.layer && a.property === b.property && a.value === b.value;

const RESERVED = new Set(['and', 'or', 'not', 'in', 'is', 'null', 'like', 'between', 'true', 'false', 'date', 'timestamp', 'interval', 'casei', 'accenti', 'div']);

function name(property: string): string {
  const simple = /^[A-Za-z_][A-Za-z0-9_]*$/.test(property) && !RESERVED.has(property.toLowerCase());
  return simple ? property : `"${property.replaceAll('"', '""')}"`;
}

function literal(value: string, kind: Property | undefined): string {
  if (kind?.type === 'number' || kind?.type === 'integer') return value;
  if (kind?.type === 'boolean') return value;
  const quoted = `'${value.replaceAll("'", "''")}'`;
  if (kind?.format === 'date') return `DATE(${quoted})`;
  if (kind?.format === 'date-time') return `TIMESTAMP(${quoted})`;
  return quoted;
}

function anyOf(property: string, values: (string | null)[], kind: Property | undefined): string {
  const given = values.filter((value) => value !== null).map((value) => literal(value, kind));
  const tests: string[] = [];
  if (given.length === 1) tests.push(`${name(property)} = ${given[0]}`);
  if (given.length > 1) tests.push(`${name(property)} IN (${given.join(', ')})`);
  if (values.includes(null)) tests.push(`${name(property)} IS NULL`);
  return tests.length > 1 ? `(${tests.join(' OR ')})` : (tests[0] ?? '');
}

/** The CQL2 text of the clauses of one layer: any of the values of a property, and all of the properties. `except` leaves one property out. */
export function cqlOf(clauses: readonly Clause[], layer: string, properties: Record<string, Property>, except?: string): string | undefined {
  const wanted = new Map<string, (string | null)[]>();
  for (const clause of clauses) {
    if (clause.layer !== layer || clause.property === except) continue;
    wanted.set(clause.property, [...(wanted.get(clause.property) ?? []), clause.value]);
  }
  if (wanted.size === 0) return undefined;
  return [...wanted].map(([property, values]) => anyOf(property, values, properties[property])).join(' AND ');
}

/**
 * The CQL2 text that leaves out classes of a property; empty where none is left out. Classes are known by their text, '' is that of
 * features without value. `listed`: the classes that are told apart, where those that are not shall be left out, too.
 */
export function cqlWithout(property: string, hidden: readonly string[], listed: readonly string[] | null, kind: Property | undefined): string {
  const hidesNone = hidden.includes('');
  const texts = kind?.type === 'string' && !kind.format;
  const list = (keys: readonly string[]): string => keys.map((key) => literal(key, kind)).join(', ');
  // Features without value pass neither IN nor NOT IN: they are named.
  const orNone = (test: string): string => (hidesNone ? test : `(${test} OR ${name(property)} IS NULL)`);
  const tests: string[] = [];
  const out = hidden.filter((key) => key !== '' || texts);
  if (out.length > 0) tests.push(orNone(`${name(property)} NOT IN (${list(out)})`));
  if (hidesNone) tests.push(`${name(property)} IS NOT NULL`);
  if (listed) {
    const kept = listed.filter((key) => key !== '' || texts);
    if (kept.length > 0) tests.push(listed.includes('') ? orNone(`${name(property)} IN (${list(kept)})`) : `${name(property)} IN (${list(kept)})`);
  }
  return tests.join(' AND ');
}

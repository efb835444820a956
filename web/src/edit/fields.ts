// The form of a layer: its fields from the schema, and text of a form into values and back. What is not touched is not sent.

import type { Item, LayerSchema, Property, Value } from '../api/types';
import { valueText } from '../format/figures';

export type FieldKind = 'text' | 'integer' | 'number' | 'boolean' | 'date' | 'datetime' | 'code';

export interface Field {
  name: string;
  kind: FieldKind;
  required: boolean;
  property: Property;
}

export type FieldProblem = 'required' | 'integer' | 'number' | 'tooSmall' | 'tooLarge' | 'tooLong' | 'datetime' | 'pattern';

/** The texts of a form by field; a field that is not here was not touched. */
export type Texts = Record<string, string>;

const isGeometry = (property: Property): boolean => Boolean(property.format?.startsWith('geometry') || property['x-ogc-role']?.includes('geometry'));

/** What may be typed in, in the order of the schema. Derived areas, ids and where a row comes from are the program's own. */
export function fieldsOf(schema: LayerSchema | undefined): Field[] {
  const required = new Set(schema?.required ?? []);
  return Object.entries(schema?.properties ?? {})
    .filter(([name, property]) => !property.readOnly && !property['x-ogc-role'] && !isGeometry(property) && name !== 'provenance')
    .map(([name, property]) => ({ name, kind: kindOf(property), required: required.has(name), property }));
}

function kindOf(property: Property): FieldKind {
  if (property.oneOf && property.oneOf.length > 0) return 'code';
  if (property.type === 'boolean') return 'boolean';
  if (property.type === 'integer') return 'integer';
  if (property.type === 'number') return 'number';
  if (property.format === 'date') return 'date';
  return property.format === 'date-time' ? 'datetime' : 'text';
}

/** A value as the form shows it; nothing is empty text. */
export const textOf = (value: unknown): string => valueText(value);

const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

/** The value of a text; empty text is no value. */
export function valueOf(field: Field, text: string): { value: Value } | { problem: FieldProblem; limit?: number } {
  const { kind, property } = field;
  const trimmed = kind === 'text' ? text : text.trim();
  if (trimmed === '') return field.required ? { problem: 'required' } : { value: null };
  if (kind === 'boolean') return { value: trimmed === 'true' };
  if (kind === 'integer' || kind === 'number') return numberOf(field, trimmed);
  if (kind === 'datetime' && !DATE_TIME.test(trimmed)) return { problem: 'datetime' };
  if (kind === 'code') return { value: (property.oneOf?.find((code) => String(code.const) === trimmed)?.const as Value | undefined) ?? trimmed };
  if (property.maxLength !== undefined && [...trimmed].length > property.maxLength) return { problem: 'tooLong', limit: property.maxLength };
  if (property.pattern !== undefined && !new RegExp(property.pattern, 'u').test(trimmed)) return { problem: 'pattern' };
  return { value: trimmed };
}

function numberOf({ kind, property }: Field, text: string): { value: Value } | { problem: FieldProblem; limit?: number } {
  const whole = kind === 'integer';
  const value = Number(text);
  // Number() takes more than people write: hexadecimal, "Infinity".
  const good = whole ? /^[-+]?\d+$/.test(text) && Number.isSafeInteger(value) : /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text) && Number.isFinite(value);
  if (!good) return { problem: whole ? 'integer' : 'number' };
  if (property.minimum !== undefined && value < property.minimum) return { problem: 'tooSmall', limit: property.minimum };
  if (property.maximum !== undefined && value > property.maximum) return { problem: 'tooLarge', limit: property.maximum };
  return { value };
}

export interface Read {
  /** The values that differ from those there are. */
  values: Record<string, Value>;
  problems: Record<string, { problem: FieldProblem; limit?: number }>;
}

/** What a form changes of an item; of a new one (null) whatever is given, and what must be given and is not. */
export function readForm(fields: readonly Field[], texts: Texts, item: Item | null): Read {
  const read: Read = { values: {}, problems: {} };
  for (const field of fields) {
    const before = item?.properties[field.name] ?? null;
    const text = texts[field.name];
    // What is as it was is not judged: an old row may lack what is required today.
    if (item && (text === undefined || text === textOf(before))) continue;
    const outcome = valueOf(field, text ?? '');
    if ('problem' in outcome) read.problems[field.name] = outcome;
    else if (outcome.value !== before) read.values[field.name] = outcome.value;
  }
  return read;
}

import { describe, expect, it } from 'vitest';
import { type Clause, cqlOf } from './filters';

const clause = (property: string, value: string | null): Clause => ({ layer: 'parcels', property, value });

describe('the CQL2 text of clauses', () => {
  it('is nothing where no clause concerns the layer', () => {
    expect(cqlOf([clause('town', '址山镇')], 'supply', {})).toBeUndefined();
  });

  it('joins values of a property by IN and properties by AND', () => {
    const clauses = [clause('town', '址山镇'), clause('town', '共和镇'), clause('status', '完成处置')];
    expect(cqlOf(clauses, 'parcels', {})).toBe("town IN ('址山镇', '共和镇') AND status = '完成处置'");
  });

  it('asks for missing values by IS NULL', () => {
    expect(cqlOf([clause('mode', null)], 'parcels', {})).toBe('mode IS NULL');
    expect(cqlOf([clause('mode', null), clause('mode', '收储')], 'parcels', {})).toBe("(mode = '收储' OR mode IS NULL)");
  });

  it('writes numbers, truth values and dates as what they are', () => {
    const properties = { year: { type: 'integer' }, open: { type: 'boolean' }, day: { type: 'string', format: 'date' } };
    const clauses = [clause('year', '2023'), clause('open', 'true'), clause('day', '2023-03-18')];
    expect(cqlOf(clauses, 'parcels', properties)).toBe("year = 2023 AND open = true AND day = DATE('2023-03-18')");
  });

  it('lets no value or name escape its quotes', () => {
    expect(cqlOf([clause('name', "x' OR '1'='1")], 'parcels', {})).toBe("name = 'x'' OR ''1''=''1'");
    expect(cqlOf([clause('镇街', 'a')], 'parcels', {})).toBe(`"镇街" = 'a'`);
    expect(cqlOf([clause('a" OR "b', 'a')], 'parcels', {})).toBe(`"a"" OR ""b" = 'a'`);
    expect(cqlOf([clause('in', 'a')], 'parcels', {})).toBe(`"in" = 'a'`);
  });

  it('leaves out the property that a chart groups by', () => {
    expect(cqlOf([clause('town', '址山镇'), clause('status', '收储')], 'parcels', {}, 'town')).toBe("status = '收储'");
  });
});

import { describe, expect, it } from 'vitest';
import { type Clause, cqlOf, cqlWithout } from './filters';

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

describe('the CQL2 text that leaves classes out', () => {
  const kind = { type: 'string' };

  it('keeps features without value unless they are left out, too', () => {
    expect(cqlWithout('status', ['x'], null, kind)).toBe("(status NOT IN ('x') OR status IS NULL)");
    expect(cqlWithout('status', ['x', ''], null, kind)).toBe("status NOT IN ('x', '') AND status IS NOT NULL");
    expect(cqlWithout('year', [''], null, { type: 'integer' })).toBe('year IS NOT NULL');
    expect(cqlWithout('year', ['2023', ''], null, { type: 'integer' })).toBe('year NOT IN (2023) AND year IS NOT NULL');
  });

  it('leaves out those that are not told apart by naming the others', () => {
    expect(cqlWithout('owner', [], ['a', 'b'], kind)).toBe("owner IN ('a', 'b')");
    expect(cqlWithout('owner', [], ['a', ''], kind)).toBe("(owner IN ('a', '') OR owner IS NULL)");
    expect(cqlWithout('owner', ['a'], ['a', 'b'], kind)).toBe("(owner NOT IN ('a') OR owner IS NULL) AND owner IN ('a', 'b')");
  });

  it('is nothing where nothing is left out', () => {
    expect(cqlWithout('owner', [], null, kind)).toBe('');
  });
});

import { describe, expect, it } from 'vitest';
import { digitsOf, figure, groupDigits, percent, valueText } from './figures';
import { rowText } from './rows';

describe('figures', () => {
  it('keeps the zeros that the server printed', () => {
    expect(figure(20000, 2)).toBe('20,000.00');
    expect(figure(31.2, 2)).toBe('31.20');
    expect(figure('20000.00')).toBe('20,000.00');
  });

  it('never rounds: a value with more decimals than announced is shown in full', () => {
    expect(digitsOf(1234.5678, 2)).toBe('1234.5678');
    expect(figure(0.125, 2)).toBe('0.125');
  });

  it('prints every two-decimal value of a ledger as it was written', () => {
    for (let cents = 1_999_900; cents < 2_000_100; cents += 1) {
      const text = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
      expect(digitsOf(JSON.parse(text) as number, 2)).toBe(text);
    }
  });

  it('groups thousands in the whole part alone', () => {
    expect(groupDigits('1234567.12345')).toBe('1,234,567.12345');
    expect(groupDigits('-1234.5')).toBe('-1,234.5');
    expect(groupDigits('999')).toBe('999');
    expect(groupDigits('n/a')).toBe('n/a');
  });

  it('writes no exponent', () => {
    expect(valueText(1e21)).toBe('1000000000000000000000');
    expect(valueText(1e-7)).toBe('0.0000001');
  });
});

describe('shares', () => {
  it('moves the decimal point of the server and rounds nothing', () => {
    expect(percent(0.1707)).toBe('17.07%');
    expect(percent(1)).toBe('100.00%');
    expect(percent(0)).toBe('0.00%');
    expect(percent(0.5)).toBe('50.00%');
    expect(percent(0.00005)).toBe('0.005%');
    expect(percent(0.333333)).toBe('33.3333%');
    expect(percent(12.3456)).toBe('1,234.56%');
  });

  it('marks a share that it had to shorten', () => {
    expect(percent(1 / 3)).toBe('≈ 33.33%');
  });
});

describe('a copied row', () => {
  it('has every property and area, and one line each for titles and values', () => {
    const item = { type: 'Feature' as const, id: 17, geometry: null, properties: { code: 'A\t1', note: 'two\nlines', area_m2: 25198.13, area_mu: 37.7972 } };
    expect(rowText(item, ['code', 'note'], (name) => `t:${name}`)).toBe('id\tt:code\tt:note\tt:area_m2\tt:area_mu\n17\tA 1\ttwo lines\t25198.13\t37.7972\n');
  });
});

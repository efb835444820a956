// Printing of numbers. A figure of the server is printed with the digits the server gave: separators between thousands are
// put in, nothing is added up, converted or rounded.

/** Puts separators between the thousands of a decimal number given as text. */
export function groupDigits(text: string): string {
  const parts = /^([-+]?)(\d+)(\.\d+)?$/.exec(text);
  if (!parts) return text;
  const [, sign = '', whole = '', fraction = ''] = parts;
  return `${sign}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${fraction}`;
}

/** The digits of a figure. `decimals` is what the server says it printed; a value that needs more is shown in full. */
export function digitsOf(value: number | string, decimals?: number): string {
  if (typeof value === 'string') return value.trim();
  if (!Number.isFinite(value)) return String(value);
  if (decimals !== undefined && decimals >= 0 && decimals <= 20) {
    const fixed = value.toFixed(decimals);
    if (Number(fixed) === value) return fixed;
  }
  return plain(value);
}

/** The figure as people read it. */
export const figure = (value: number | string, decimals?: number): string => groupDigits(digitsOf(value, decimals));

/** A fraction as per cent, by moving the decimal point of its digits; more than four decimals of a per cent are cut to them with "≈". */
export function percent(fraction: number): string {
  const digits = plain(fraction);
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(digits);
  if (!parts) return digits;
  const [, sign = '', whole = '0', decimals = ''] = parts;
  if (decimals.length > 6) return `≈ ${(fraction * 100).toFixed(2)}%`;
  const padded = decimals.padEnd(2, '0');
  const moved = `${whole}${padded.slice(0, 2)}`.replace(/^0+(?=\d)/, '');
  const rest = padded.slice(2).padEnd(2, '0');
  return `${sign}${groupDigits(moved)}.${rest}%`;
}

/** Any value of a property as text. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return plain(value);
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | boolean);
}

/** A number without exponent. */
function plain(value: number): string {
  const text = String(value);
  if (!/e/i.test(text)) return text;
  return value.toLocaleString('en-US', { useGrouping: false, maximumSignificantDigits: 17 });
}

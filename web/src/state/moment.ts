// The moment of which the page tells. A day means its end, in the time of China, wherever the reader is.

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z$/;
const ZONE = 'Asia/Shanghai';

/** Whether a text is a day or a moment that the address may hold. */
export function isMoment(text: string): boolean {
  if (!DAY.test(text) && !MOMENT.test(text)) return false;
  // A calendar has no 31 February: what the clock makes of it must be the same day.
  const date = new Date(DAY.test(text) ? `${text}T00:00:00Z` : text);
  return !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 10) === text.slice(0, 10);
}

/** What the server is asked; nothing for the present. */
export function datetimeOf(asof: string | null): string | undefined {
  if (asof === null) return undefined;
  return DAY.test(asof) ? new Date(`${asof}T23:59:59.999+08:00`).toISOString() : asof;
}

/** Today, as the calendar of China has it. */
export const today = (now = new Date()): string => new Intl.DateTimeFormat('sv-SE', { timeZone: ZONE, dateStyle: 'short' }).format(now);

/** A moment as people read it: to the second, in the time of China. */
export function momentText(at: string): string {
  if (DAY.test(at)) return at;
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : new Intl.DateTimeFormat('sv-SE', { timeZone: ZONE, dateStyle: 'short', timeStyle: 'medium' }).format(date);
}

import { describe, expect, it } from 'vitest';
import { defaultView, formatHash, parseHash, type View } from './hash';
import { datetimeOf, momentText, today } from './moment';

const full = (): View => ({
  camera: { zoom: 13.25, lat: 22.61234, lon: 112.78901 },
  layers: ['county', '低效 地块', 'a,b:c'],
  colorBy: { parcels: 'use_code', landuse: '' },
  hidden: { parcels: ['完成处置', '', '50%', 'a:b,c'] },
  filter: [
    { layer: 'parcels', property: 'town', value: '址山镇' },
    { layer: 'parcels', property: 'mode', value: null },
    { layer: 'parcels', property: 'note', value: '' },
    { layer: 'parcels', property: 'note', value: "x=1&y='2' #3/4" },
  ],
  select: { layer: 'parcels', id: '17' },
  lang: 'en',
  unit: 'km2',
  panel: 'overview',
  table: 'parcels',
  groups: [{ layer: 'parcels', property: 'town' }],
  asof: '2026-03-01T02:03:04.567Z',
});

describe('the address', () => {
  it('brings back every part of a view', () => {
    expect(parseHash(`#${formatHash(full())}`)).toEqual({ view: full(), unread: [] });
  });

  it('brings back a view that the browser has percent-encoded', () => {
    const encoded = new URL(`http://h/#${formatHash(full())}`).hash;
    expect(encoded).toContain('%E5%9D%80');
    expect(parseHash(encoded)).toEqual({ view: full(), unread: [] });
  });

  it('is empty for the view that the page chooses itself', () => {
    expect(formatHash(defaultView())).toBe('');
    expect(parseHash('')).toEqual({ view: defaultView(), unread: [] });
  });

  it('opens the feature panel for a bare link to a feature', () => {
    const { view } = parseHash('#select=parcels/17');
    expect(view.select).toEqual({ layer: 'parcels', id: '17' });
    expect(view.panel).toBe('feature');
  });

  it('keeps no layers and nothing chosen apart', () => {
    const none = { ...defaultView(), layers: [] };
    expect(parseHash(formatHash(none)).view.layers).toEqual([]);
    expect(parseHash('').view.layers).toBeNull();
  });

  it.each(['map=1/2', 'map=a/b/c', 'map=5/91/0', 'map=25/0/0', 'unit=acre', 'lang=fr', 'panel=x', 'asof=yesterday', 'asof=2026-02-31', 'asof=2026-03-01T02:03:04+08:00', 'select=parcels', 'filter=parcels', 'wat=1', 'stray'])('names %s as not understood and changes nothing', (part) => {
    expect(parseHash(`#${part}`)).toEqual({ view: defaultView(), unread: [part] });
  });

  it('keeps a day as a day', () => {
    expect(parseHash('#asof=2026-03-01').view.asof).toBe('2026-03-01');
    expect(formatHash({ ...defaultView(), asof: '2026-03-01' })).toBe('asof=2026-03-01');
  });

  it('survives a broken escape', () => {
    expect(parseHash('#table=%E5%9').view.table).toBe('%E5%9');
  });
});

describe('a moment', () => {
  it('of a day is its end in the time of China, wherever the reader is', () => {
    expect(datetimeOf('2026-03-01')).toBe('2026-03-01T15:59:59.999Z');
    expect(datetimeOf('2026-03-01T02:03:04.567Z')).toBe('2026-03-01T02:03:04.567Z');
    expect(datetimeOf(null)).toBeUndefined();
  });

  it('is written in the time of China', () => {
    expect(momentText('2026-03-01T20:03:04.567Z')).toBe('2026-03-02 04:03:04');
    expect(momentText('2026-03-01')).toBe('2026-03-01');
    expect(today(new Date('2026-03-01T16:00:00Z'))).toBe('2026-03-02');
  });
});

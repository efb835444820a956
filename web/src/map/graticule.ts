// Lines of longitude and latitude for the view, at a round step, with their degrees written at the edge.

import type { Feature, FeatureCollection } from 'geojson';
import type { Box } from '../api/types';

const STEPS = [10, 5, 2, 1, 1 / 2, 1 / 3, 1 / 6, 1 / 12, 1 / 30, 1 / 60, 1 / 120, 1 / 360];

/** The step in degrees that draws about five lines across. */
export function stepFor(width: number): number {
  return STEPS.find((step) => width / step >= 4) ?? 1 / 360;
}

/** Degrees, minutes and seconds, as on a map sheet. */
export function degreeText(value: number, positive: string, negative: string): string {
  const seconds = Math.round(Math.abs(value) * 3600);
  const [degrees, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const tail = rest > 0 ? `${String(minutes).padStart(2, '0')}′${String(rest).padStart(2, '0')}″` : `${String(minutes).padStart(2, '0')}′`;
  return `${degrees}°${tail}${value < 0 ? negative : positive}`;
}

export function graticule([west, south, east, north]: Box): FeatureCollection {
  const step = stepFor(east - west);
  const features: Feature[] = [];
  const line = (coordinates: number[][], at: number[], label: string, anchor: string): void => {
    features.push({ type: 'Feature', geometry: { type: 'LineString', coordinates }, properties: { label: '' } });
    features.push({ type: 'Feature', geometry: { type: 'Point', coordinates: at }, properties: { label, anchor } });
  };
  // The lines reach beyond the view, so that they do not end in it while it is moved.
  const spread = east - west;
  const [low, high] = [Math.max(-85, south), Math.min(85, north)];
  for (let i = Math.ceil(west / step); i * step <= east; i += 1) line([[i * step, Math.max(-85, low - spread)], [i * step, Math.min(85, high + spread)]], [i * step, high], degreeText(i * step, 'E', 'W'), 'top-left');
  for (let i = Math.ceil(low / step); i * step <= high; i += 1) line([[west - spread, i * step], [east + spread, i * step]], [west, i * step], degreeText(i * step, 'N', 'S'), 'bottom-left');
  return { type: 'FeatureCollection', features };
}

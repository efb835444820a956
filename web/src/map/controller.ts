// The one place that talks to MapLibre: puts layers, data, selection and hover on the map and tells what the pointer meets.

import 'maplibre-gl/dist/maplibre-gl.css';
import type { Feature, Geometry } from 'geojson';
import { type GeoJSONSource, type LngLat, Map as MapLibre, type MapGeoJSONFeature, type MapMouseEvent, type PointLike, ScaleControl, setWorkerUrl, type VectorTileSource } from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import { LAST_TILES } from '../api/client';
import type { Box, Collection, Item } from '../api/types';
import type { Camera } from '../state/hash';
import type { Drawing } from './drawing';
import { graticule } from './graticule';
import { boxOf, labelPoint } from './labels';
import { baseStyle, drawn, dust, labelSourceOf, type Look, names, rank, sourceOf, styleIds } from './style';

setWorkerUrl(workerUrl);

/** A feature that the pointer meets. */
export interface Hit {
  layer: string;
  id: string;
  properties: Record<string, unknown>;
}

/** Several features of a layer that are drawn as one mark, because each is smaller than a pixel. */
export interface Crowd {
  layer: string;
  count: number;
  /** Where the marks lie. */
  box: Box;
}

/** What the pointer meets. */
export interface Meeting {
  /** The topmost first. */
  hits: Hit[];
  crowds: Crowd[];
  /** The crowd that is on top of all hits, if one is. */
  first: Crowd | null;
}

export interface Listener {
  moved(camera: Camera, box: Box): void;
  clicked(meeting: Meeting): void;
  hovered(meeting: Meeting, x: number, y: number): void;
  idle(): void;
  /** Tiles of a layer are asked for. */
  loading(): void;
  /** Tiles of a layer could not be read. */
  failed(layer: string, reason: unknown): void;
  /** Tiles of a layer that could not be read are asked for again. */
  retried(layer: string): void;
}

const EMPTY = { type: 'FeatureCollection' as const, features: [] };
const TOUCH = 4;
const NOTHING: Meeting = { hits: [], crowds: [], first: null };
/** How much nearer the map goes to take a mark of several features apart. */
const APART = 3;
/** Half of a mark's cell in degrees, in the most detailed tiles. */
const HALF_CELL = (360 / 2 ** LAST_TILES) * (4 / 4096);

export class MapController {
  readonly map: MapLibre;
  private readonly signatures = new Map<string, string>();
  /** The address of the tiles of each layer that is on the map. */
  private readonly tiles = new Map<string, string>();
  /** How often each layer had been changed when its tiles were last read, and the bounds of its source. */
  private readonly revisions = new Map<string, number>();
  private readonly bounds = new Map<string, Box>();
  private readonly failed = new Set<string>();
  private hover: { source: string; sourceLayer: string; id: number } | null = null;
  private looks: Look[] = [];
  /** While it is drawn on the map, the pointer belongs to the drawing. */
  isDrawnOn = false;

  constructor(container: HTMLElement, camera: Camera | null, home: Box | null, title: string, private readonly listener: Listener) {
    this.map = new MapLibre({
      container,
      style: baseStyle(),
      ...(camera ? { center: [camera.lon, camera.lat], zoom: camera.zoom } : home ? { bounds: home, fitBoundsOptions: { padding: 28 } } : {}),
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      maxPitch: 0,
      renderWorldCopies: false,
      localIdeographFontFamily: "'Noto Sans SC','Noto Sans CJK SC','PingFang SC','Microsoft YaHei',sans-serif",
      locale: { 'Map.Title': title },
      fadeDuration: 0,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new ScaleControl({ maxWidth: 120, unit: 'metric' }), 'bottom-left');
    this.map.on('moveend', () => this.tellMove());
    this.map.on('click', (event) => {
      if (!this.isDrawnOn) this.listener.clicked(this.at(event));
    });
    this.map.on('mousemove', (event) => this.pointer(event));
    this.map.on('mouseout', () => this.leave());
    this.map.on('idle', () => this.listener.idle());
    this.map.on('dataloading', (event) => {
      if (event.dataType === 'source') this.listener.loading();
    });
    this.map.on('error', (event) => this.tellFault(event));
  }

  private tellFault(event: { error: unknown; sourceId?: string }): void {
    const layer = event.sourceId?.startsWith('data:') ? event.sourceId.slice('data:'.length) : null;
    if (layer === null) {
      reportError(event.error);
      return;
    }
    this.failed.add(layer);
    this.listener.failed(layer, event.error);
  }

  /** Asks again for what could not be read. */
  private retry(): void {
    for (const layer of this.failed) {
      const tiles = this.tiles.get(layer);
      this.failed.delete(layer);
      if (tiles === undefined) continue;
      this.listener.retried(layer);
      (this.map.getSource(sourceOf(layer)) as VectorTileSource | undefined)?.setTiles([tiles]);
    }
  }

  /** Resolves when layers can be put on the map. */
  async ready(): Promise<void> {
    if (!this.map.isStyleLoaded()) await this.map.once('load');
    this.tellMove();
  }

  destroy(): void {
    this.map.remove();
  }

  box(): Box {
    const bounds = this.map.getBounds();
    return [Math.max(-180, bounds.getWest()), Math.max(-90, bounds.getSouth()), Math.min(180, bounds.getEast()), Math.min(90, bounds.getNorth())];
  }

  private tellMove(): void {
    const { lng, lat } = this.map.getCenter();
    const box = this.box();
    (this.map.getSource('graticule') as GeoJSONSource | undefined)?.setData(graticule(box));
    this.listener.moved({ zoom: this.map.getZoom(), lat, lon: lng }, box);
    this.retry();
  }

  /** Brings the map to the wanted looks, touching only what differs. */
  draw(looks: Look[]): void {
    this.looks = looks.toSorted((a, b) => rank(a.layer) - rank(b.layer));
    const wanted = new Set(this.looks.filter((look) => look.visible).map((look) => look.layer.id));
    for (const id of this.signatures.keys()) if (!wanted.has(id)) this.remove(id);
    for (const look of this.looks) if (look.visible) this.put(look);
    // Where nothing differed the map would stay silent; whoever waits for it to be idle is told.
    this.map.triggerRepaint();
  }

  private put(look: Look): void {
    const { id } = look.layer;
    const signature = JSON.stringify([look.property, look.color, look.label, look.pointed, look.classes.map((entry) => [entry.key, entry.color])]);
    const mustGo = !this.canRefill(look);
    if (this.signatures.get(id) !== signature || mustGo) {
      for (const part of styleIds(id)) if (this.map.getLayer(part)) this.map.removeLayer(part);
      this.signatures.delete(id);
    }
    if (mustGo) this.map.removeSource(sourceOf(id));
    this.fill(look);
    if (this.signatures.get(id) === signature) return;
    if (!this.map.getSource(labelSourceOf(id))) this.map.addSource(labelSourceOf(id), { type: 'geojson', data: EMPTY });
    for (const layer of [...dust(look), ...drawn(look)]) this.map.addLayer(layer, this.above(look));
    const written = names(look);
    if (written) this.map.addLayer(written, 'selection:halo');
    this.signatures.set(id, signature);
  }

  /**
   * Whether the source can stay and be given other tiles. While a tile of the former ones is under way MapLibre would keep what it
   * holds, so that features that are filtered out stayed on the map: then the source goes.
   */
  private canRefill(look: Look): boolean {
    const source = sourceOf(look.layer.id);
    if (!this.map.getSource(source)) return true;
    // What was added may lie outside of what the source was told to be the whole.
    if (!contains(this.bounds.get(look.layer.id), boundsOf(look.layer).bounds)) return false;
    return this.tiles.get(look.layer.id) === look.tiles || this.map.isSourceLoaded(source);
  }

  /** Gives the source of a layer the tiles that it shall have. */
  private fill(look: Look): void {
    const { id } = look.layer;
    const source = this.map.getSource(sourceOf(id)) as VectorTileSource | undefined;
    const fresh = this.revisions.get(id) === look.revision;
    this.revisions.set(id, look.revision);
    if (source && this.tiles.get(id) === look.tiles) {
      // The tiles that are shown stay until those of now are there: nothing flashes.
      if (!fresh) this.map.refreshTiles(sourceOf(id));
      return;
    }
    this.forgive(id);
    if (source) source.setTiles([look.tiles]);
    else {
      const { bounds } = boundsOf(look.layer);
      this.map.addSource(sourceOf(id), { type: 'vector', tiles: [look.tiles], maxzoom: LAST_TILES, ...(bounds ? { bounds } : {}) });
      if (bounds) this.bounds.set(id, bounds);
      else this.bounds.delete(id);
    }
    this.tiles.set(id, look.tiles);
  }

  private forgive(layer: string): void {
    if (this.failed.delete(layer)) this.listener.retried(layer);
  }

  /** The style layer under which the shapes of this look go: the lowest part of the next higher layer that is on the map. */
  private above(look: Look): string {
    const at = this.looks.indexOf(look);
    for (const higher of this.looks.slice(at + 1)) {
      const part = styleIds(higher.layer.id).find((id) => !id.endsWith(':names') && this.map.getLayer(id));
      if (part) return part;
    }
    const firstNames = this.map.getStyle().layers.find((layer) => layer.id.endsWith(':names'));
    return firstNames?.id ?? 'selection:halo';
  }

  private remove(id: string): void {
    for (const part of styleIds(id)) if (this.map.getLayer(part)) this.map.removeLayer(part);
    for (const source of [sourceOf(id), labelSourceOf(id)]) if (this.map.getSource(source)) this.map.removeSource(source);
    if (this.hover?.source === sourceOf(id)) this.hover = null;
    this.signatures.delete(id);
    this.tiles.delete(id);
    this.revisions.delete(id);
    this.forgive(id);
  }

  /** Hands the map the features whose names it writes at points of their own. */
  setNames(layer: string, features: Item[]): void {
    const points = features.flatMap((item): Feature[] => {
      const at = labelPoint(item.geometry);
      return at ? [{ type: 'Feature', id: item.id, geometry: { type: 'Point', coordinates: at }, properties: item.properties } as Feature] : [];
    });
    (this.map.getSource(labelSourceOf(layer)) as GeoJSONSource | undefined)?.setData({ type: 'FeatureCollection', features: points });
  }

  select(item: Item | null): void {
    const at = labelPoint(item?.geometry ?? null);
    // A ring around the middle shows where the feature is when it is too small to be seen itself.
    const ring: Feature[] = at ? [{ type: 'Feature', geometry: { type: 'Point', coordinates: at }, properties: {} }] : [];
    const data = item?.geometry ? { type: 'FeatureCollection' as const, features: [item as Feature, ...ring] } : EMPTY;
    this.map.setLayerZoomRange('selection:circle', 0, item?.geometry?.type === 'Point' ? 24 : 13.5);
    (this.map.getSource('selection') as GeoJSONSource | undefined)?.setData(data);
  }

  /** Shows shapes and places beside the selection. */
  beside(shapes: readonly (Geometry | null)[]): void {
    const features = shapes.flatMap((geometry): Feature[] => (geometry ? [{ type: 'Feature', geometry, properties: {} }] : []));
    (this.map.getSource('beside') as GeoJSONSource | undefined)?.setData({ type: 'FeatureCollection', features });
  }

  /** Hands the map over to a drawing, until it stops. */
  async openDrawing(changed: () => void): Promise<Drawing> {
    const { Drawing: Made } = await import('./drawing');
    this.clearHover();
    return new Made(this.map, changed);
  }

  fit(box: Box, maxZoom = 16): void {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.map.fitBounds(box, { padding: 48, maxZoom, animate: !still, duration: 500 });
  }

  /** Moves only if the box is not wholly in view. */
  reveal(box: Box): void {
    const view = this.box();
    if (box[0] >= view[0] && box[1] >= view[1] && box[2] <= view[2] && box[3] <= view[3]) return;
    this.fit(box, Math.max(this.map.getZoom(), 13));
  }

  /** Goes to a camera, unless the map is there already but for the rounding of an address. */
  follow(camera: Camera): void {
    const { lng, lat } = this.map.getCenter();
    const near = Math.abs(lng - camera.lon) < 2e-5 && Math.abs(lat - camera.lat) < 2e-5 && Math.abs(this.map.getZoom() - camera.zoom) < 0.02;
    if (!near && !this.map.isMoving()) this.map.jumpTo({ center: [camera.lon, camera.lat], zoom: camera.zoom });
  }

  zoomBy(step: number): void {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.map.easeTo({ zoom: this.map.getZoom() + step, duration: still ? 0 : 250 });
  }

  resize(): void {
    this.map.resize();
  }

  /** Goes nearer to a mark, so that its features come apart; false where the map is as near as tiles tell features apart. */
  approach(crowd: Crowd): boolean {
    const zoom = this.map.getZoom();
    if (zoom >= LAST_TILES) return false;
    const center: [number, number] = [(crowd.box[0] + crowd.box[2]) / 2, (crowd.box[1] + crowd.box[3]) / 2];
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.map.easeTo({ center, zoom: Math.min(LAST_TILES, zoom + APART), duration: still ? 0 : 400 });
    return true;
  }

  private at(event: MapMouseEvent): Meeting {
    const { x, y } = event.point;
    const parts = this.looks
      .filter((look) => look.visible)
      .flatMap((look) => styleIds(look.layer.id).filter((id) => !id.endsWith(':names') && !id.endsWith(':hover')))
      .filter((id) => this.map.getLayer(id));
    const exact = this.map.queryRenderedFeatures([x, y], { layers: parts });
    const dots = parts.filter((id) => id.endsWith(':circle') || id.endsWith(':dust') || id.endsWith(':line'));
    const around: [PointLike, PointLike] = [[x - TOUCH, y - TOUCH], [x + TOUCH, y + TOUCH]];
    const near = this.map.queryRenderedFeatures(around, { layers: dots.filter((id) => !this.isSurface(id)) });
    const height = new Map(this.looks.map((look, order) => [look.layer.id, order]));
    // What lies beside the pointer counts only for layers that have nothing under it.
    const under = new Set(exact.map(layerOf));
    const met = [...exact, ...near.filter((feature) => !under.has(layerOf(feature)))].toSorted((a, b) => (height.get(layerOf(b)) ?? 0) - (height.get(layerOf(a)) ?? 0));
    return meetingOf(met, event.lngLat);
  }

  private isSurface(part: string): boolean {
    const look = this.looks.find((entry) => part.startsWith(`${entry.layer.id}:`));
    return part.endsWith(':line') && (look?.layer.geometry === 'surface' || look?.layer.geometry === 'mixed');
  }

  private pointer(event: MapMouseEvent): void {
    if (this.isDrawnOn) return;
    const meeting = this.at(event);
    const top = meeting.first ? null : (meeting.hits.find((hit) => hit.layer !== 'county' && hit.layer !== 'towns') ?? null);
    const next = top ? { source: sourceOf(top.layer), sourceLayer: top.layer, id: Number(top.id) } : null;
    if (next?.source !== this.hover?.source || next?.id !== this.hover?.id) {
      this.clearHover();
      if (next) this.map.setFeatureState(next, { hover: true });
      this.hover = next;
    }
    this.map.getCanvas().style.cursor = top || meeting.first ? 'pointer' : '';
    this.listener.hovered(top || meeting.first ? meeting : NOTHING, event.point.x, event.point.y);
  }

  private clearHover(): void {
    if (this.hover && this.map.getSource(this.hover.source)) this.map.setFeatureState(this.hover, { hover: false });
    this.hover = null;
  }

  private leave(): void {
    this.clearHover();
    this.listener.hovered(NOTHING, 0, 0);
  }
}

/** Tiles outside the layer's extent are not there to be asked for. */
function boundsOf(layer: Collection): { bounds?: Box } {
  const box = layer.extent?.spatial?.bbox?.[0];
  return box?.length === 4 ? { bounds: box as Box } : {};
}

/** Whether a box lies wholly in another; no box is everything. */
function contains(outer: Box | undefined, inner: Box | undefined): boolean {
  if (!outer) return true;
  return inner !== undefined && inner[0] >= outer[0] && inner[1] >= outer[1] && inner[2] <= outer[2] && inner[3] <= outer[3];
}

const layerOf = (feature: MapGeoJSONFeature): string => feature.sourceLayer ?? '';

/** What is met, from features in order: each once, and the marks of several features of a layer taken together. */
function meetingOf(features: MapGeoJSONFeature[], at: LngLat): Meeting {
  const hits = new Map<string, Hit>();
  const crowds = new Map<string, Crowd>();
  const counted = new Set<string>();
  let first: Crowd | null = null;
  for (const feature of features) {
    const [layer, count] = [layerOf(feature), Number(feature.properties['_count'] ?? 1)];
    const id = feature.id ?? feature.properties['_id'];
    if (count <= 1) {
      if (id !== undefined && !hits.has(`${layer}/${id}`)) hits.set(`${layer}/${id}`, { layer, id: String(id), properties: feature.properties });
      continue;
    }
    const box = boxOf(feature.geometry) ?? [at.lng, at.lat, at.lng, at.lat];
    // The same mark is met once in each style layer that draws it.
    const mark = `${layer}/${box.join()}`;
    if (counted.has(mark)) continue;
    counted.add(mark);
    const crowd = crowds.get(layer) ?? { layer, count: 0, box: [Infinity, Infinity, -Infinity, -Infinity] };
    crowd.count += count;
    crowd.box = [Math.min(crowd.box[0], box[0] - HALF_CELL), Math.min(crowd.box[1], box[1] - HALF_CELL), Math.max(crowd.box[2], box[2] + HALF_CELL), Math.max(crowd.box[3], box[3] + HALF_CELL)];
    crowds.set(layer, crowd);
    if (hits.size === 0) first ??= crowd;
  }
  return { hits: [...hits.values()], crowds: [...crowds.values()], first };
}

// The one place that talks to MapLibre: puts layers, data, selection and hover on the map and tells what the pointer meets.

import 'maplibre-gl/dist/maplibre-gl.css';
import type { Feature, Geometry } from 'geojson';
import { type GeoJSONSource, type LayerSpecification, Map as MapLibre, type MapMouseEvent, type PointLike, ScaleControl, setWorkerUrl } from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import type { Box, Item } from '../api/types';
import type { Camera } from '../state/hash';
import { graticule } from './graticule';
import { labelPoint } from './labels';
import { baseStyle, classFilter, drawn, dust, labelSourceOf, type Look, names, rank, sourceOf, styleIds } from './style';

setWorkerUrl(workerUrl);

/** A feature that the pointer meets. */
export interface Hit {
  layer: string;
  id: string;
  properties: Record<string, unknown>;
}

export interface Listener {
  moved(camera: Camera, box: Box): void;
  clicked(hits: Hit[]): void;
  hovered(hits: Hit[], x: number, y: number): void;
  idle(): void;
}

const EMPTY = { type: 'FeatureCollection' as const, features: [] };
const TOUCH = 4;

export class MapController {
  readonly map: MapLibre;
  private readonly signatures = new Map<string, string>();
  private hover: { source: string; id: string | number } | null = null;
  private looks: Look[] = [];

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
    this.map.on('click', (event) => this.listener.clicked(this.at(event)));
    this.map.on('mousemove', (event) => this.pointer(event));
    this.map.on('mouseout', () => this.leave());
    this.map.on('idle', () => this.listener.idle());
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
    const signature = JSON.stringify([look.property, look.color, look.named, look.hidden, look.classes.map((entry) => [entry.key, entry.color])]);
    if (this.signatures.get(id) === signature) return;
    for (const part of styleIds(id)) if (this.map.getLayer(part)) this.map.removeLayer(part);
    for (const source of [sourceOf(id), labelSourceOf(id)]) {
      if (!this.map.getSource(source)) this.map.addSource(source, { type: 'geojson', data: EMPTY });
    }
    const filter = classFilter(look);
    for (const layer of drawn(look)) this.map.addLayer(withFilter(layer, filter), this.above(look));
    for (const layer of dust(look)) this.map.addLayer(withFilter(layer, filter), this.above(look));
    this.map.addLayer(withFilter(names(look), filter), 'selection:halo');
    this.signatures.set(id, signature);
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
  }

  /** Hands the features of a layer to the map; `label` gives the name that is written, if any. */
  setData(layer: string, features: Item[], label: (item: Item) => string): void {
    const drawable = features.filter((item): item is Item & { geometry: Geometry } => item.geometry !== null);
    (this.map.getSource(sourceOf(layer)) as GeoJSONSource | undefined)?.setData({ type: 'FeatureCollection', features: drawable as Feature[] });
    const labels = drawable.flatMap((item): Feature[] => {
      const [at, name] = [labelPoint(item.geometry), label(item)];
      return at ? [{ type: 'Feature', id: item.id, geometry: { type: 'Point', coordinates: at }, properties: { ...item.properties, label: name } } as Feature] : [];
    });
    (this.map.getSource(labelSourceOf(layer)) as GeoJSONSource | undefined)?.setData({ type: 'FeatureCollection', features: labels });
  }

  select(item: Item | null): void {
    const at = labelPoint(item?.geometry ?? null);
    // A ring around the middle shows where the feature is when it is too small to be seen itself.
    const ring: Feature[] = at ? [{ type: 'Feature', geometry: { type: 'Point', coordinates: at }, properties: {} }] : [];
    const data = item?.geometry ? { type: 'FeatureCollection' as const, features: [item as Feature, ...ring] } : EMPTY;
    this.map.setLayerZoomRange('selection:circle', 0, item?.geometry?.type === 'Point' ? 24 : 13.5);
    (this.map.getSource('selection') as GeoJSONSource | undefined)?.setData(data);
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

  private at(event: MapMouseEvent): Hit[] {
    const { x, y } = event.point;
    const parts = this.looks
      .filter((look) => look.visible)
      .flatMap((look) => styleIds(look.layer.id).filter((id) => !id.endsWith(':names') && !id.endsWith(':hover')))
      .filter((id) => this.map.getLayer(id));
    const exact = this.map.queryRenderedFeatures([x, y], { layers: parts });
    const dots = parts.filter((id) => id.endsWith(':circle') || id.endsWith(':dust') || id.endsWith(':line'));
    const around: [PointLike, PointLike] = [[x - TOUCH, y - TOUCH], [x + TOUCH, y + TOUCH]];
    const near = this.map.queryRenderedFeatures(around, { layers: dots.filter((id) => !this.isSurface(id)) });
    const seen = new Map<string, Hit>();
    for (const feature of [...near, ...exact]) {
      const layer = feature.source.slice(feature.source.indexOf(':') + 1);
      if (feature.id === undefined) continue;
      const hit: Hit = { layer, id: String(feature.id), properties: feature.properties };
      seen.set(`${layer}/${hit.id}`, seen.get(`${layer}/${hit.id}`) ?? hit);
    }
    const height = new Map(this.looks.map((look, order) => [look.layer.id, order]));
    return [...seen.values()].toSorted((a, b) => (height.get(b.layer) ?? 0) - (height.get(a.layer) ?? 0));
  }

  private isSurface(part: string): boolean {
    const look = this.looks.find((entry) => part.startsWith(`${entry.layer.id}:`));
    return part.endsWith(':line') && (look?.layer.geometry === 'surface' || look?.layer.geometry === 'mixed');
  }

  private pointer(event: MapMouseEvent): void {
    const hits = this.at(event);
    const top = hits.find((hit) => hit.layer !== 'county' && hit.layer !== 'towns') ?? null;
    const next = top ? { source: sourceOf(top.layer), id: Number.isNaN(Number(top.id)) ? top.id : Number(top.id) } : null;
    if (next?.source !== this.hover?.source || next?.id !== this.hover?.id) {
      this.clearHover();
      if (next) this.map.setFeatureState(next, { hover: true });
      this.hover = next;
      this.map.getCanvas().style.cursor = next ? 'pointer' : '';
    }
    this.listener.hovered(top ? hits : [], event.point.x, event.point.y);
  }

  private clearHover(): void {
    if (this.hover && this.map.getSource(this.hover.source)) this.map.setFeatureState(this.hover, { hover: false });
    this.hover = null;
  }

  private leave(): void {
    this.clearHover();
    this.listener.hovered([], 0, 0);
  }
}

function withFilter(layer: LayerSpecification, filter: ReturnType<typeof classFilter>): LayerSpecification {
  if (!filter || !('source' in layer)) return layer;
  const own = 'filter' in layer ? layer.filter : undefined;
  return { ...layer, filter: own ? ['all', own, filter] : filter } as LayerSpecification;
}

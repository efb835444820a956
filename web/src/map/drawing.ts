// The one place that talks to terra-draw: rings, lines and points under the hand, their vertices snapped to those of neighbours.
// It knows nothing of layers and versions; what it is given comes back as pieces, in nine decimals.

import type { Feature, LineString, Point, Polygon, Position } from 'geojson';
import type { Map as MapLibre } from 'maplibre-gl';
import {
  type GeoJSONStoreFeatures,
  type HexColor,
  type SnapToCustom,
  TerraDraw,
  TerraDrawLineStringMode,
  TerraDrawModeUndoRedo,
  TerraDrawPointMode,
  TerraDrawPolygonMode,
  TerraDrawSelectMode,
} from 'terra-draw';
import { TerraDrawMapLibreGLAdapter } from 'terra-draw-maplibre-gl-adapter';
import { DECIMALS, forDrawing, type Piece } from '../edit/shapes';

const ACCENT: HexColor = '#0f6b5c';
const PAPER: HexColor = '#ffffff';
const SNAP: HexColor = '#b4453c';
/** How near a vertex must come to another to snap, in pixels. */
const REACH = 12;

const MODES = { ring: 'polygon', line: 'linestring', point: 'point' } as const;

type Placed = Feature<Polygon | LineString | Point, Record<string, unknown>>;

export class Drawing {
  private readonly draw: TerraDraw;
  private targets: Position[] = [];
  /** What is being drawn; null while what is there is changed. */
  private sort: Piece['kind'] | null = null;
  private now: Piece[] = [];
  private past: Piece[][] = [];
  private future: Piece[][] = [];

  constructor(
    private readonly map: MapLibre,
    private readonly changed: () => void,
  ) {
    const snapping = { toCustom: this.snap };
    const coordinates = { draggable: true, deletable: true, midpoints: { draggable: true }, snappable: snapping };
    const edited = { feature: { draggable: false, coordinates } };
    const points = { selectionPointColor: PAPER, selectionPointOutlineColor: ACCENT, selectionPointOutlineWidth: 2.5, selectionPointWidth: 6, midPointColor: ACCENT, midPointOutlineColor: PAPER, midPointOutlineWidth: 1.5, midPointWidth: 4 };
    const surfaces = { selectedPolygonColor: ACCENT, selectedPolygonFillOpacity: 0.14, selectedPolygonOutlineColor: ACCENT, selectedPolygonOutlineWidth: 2.5, selectedLineStringColor: ACCENT, selectedLineStringWidth: 3, selectedPointColor: ACCENT };
    const hints = { snappingPointColor: SNAP, snappingPointOutlineColor: PAPER, snappingPointWidth: 6, closingPointColor: PAPER, closingPointOutlineColor: ACCENT, closingPointWidth: 6 };
    this.draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: DECIMALS }),
      modes: [
        // Deleting all and turning all are too near to keys that people press for something else.
        new TerraDrawSelectMode({ allowManualDeselection: false, keyEvents: null, pointerDistance: REACH, flags: { polygon: edited, linestring: edited, point: { feature: { draggable: true } } }, styles: { ...points, ...surfaces } }),
        new TerraDrawPolygonMode({ snapping, pointerDistance: REACH, showCoordinatePoints: true, styles: { fillColor: ACCENT, fillOpacity: 0.14, outlineColor: ACCENT, outlineWidth: 2.5, coordinatePointColor: PAPER, coordinatePointOutlineColor: ACCENT, coordinatePointOutlineWidth: 2, coordinatePointWidth: 5, ...hints } }),
        new TerraDrawLineStringMode({ snapping, pointerDistance: REACH, showCoordinatePoints: true, styles: { lineStringColor: SNAP, lineStringWidth: 3, coordinatePointColor: PAPER, coordinatePointOutlineColor: SNAP, coordinatePointOutlineWidth: 2, coordinatePointWidth: 5, ...hints } }),
        new TerraDrawPointMode({ styles: { pointColor: ACCENT, pointOutlineColor: PAPER, pointOutlineWidth: 2, pointWidth: 7 } }),
      ],
      // Steps of a shape under way are terra-draw's; those of finished ones are kept here, as it forgets what is to be done again
      // when a shape is taken up anew.
      undoRedo: { modeLevel: new TerraDrawModeUndoRedo() },
    });
    this.draw.start();
    this.draw.on('finish', (_id, context) => {
      // What was just drawn is at once open to corrections.
      if (context.action === 'draw') this.select();
      this.step();
    });
    this.draw.on('history', () => this.changed());
  }

  /** Vertices that others are drawn to. */
  snapTo(positions: Position[]): void {
    this.targets = positions;
  }

  private readonly snap: SnapToCustom = (event, context) => {
    const here = context.project(event.lng, event.lat);
    let best: { position: Position; distance: number } | null = null;
    const [east, north] = [context.unproject(here.x + REACH, here.y), context.unproject(here.x, here.y - REACH)];
    const [wide, high] = [Math.abs(east.lng - event.lng), Math.abs(north.lat - event.lat)];
    for (const position of this.targets) {
      const [lon = 0, lat = 0] = position;
      if (Math.abs(lon - event.lng) > wide || Math.abs(lat - event.lat) > high) continue;
      const there = context.project(lon, lat);
      const distance = Math.hypot(there.x - here.x, there.y - here.y);
      if (distance <= REACH && distance < (best?.distance ?? Infinity)) best = { position, distance };
    }
    return best ? (forDrawing([best.position])[0] as Position) : undefined;
  };

  /** Puts pieces on the map to be changed. Nothing of before can be undone. */
  put(pieces: readonly Piece[]): string[] {
    this.draw.clear();
    this.sort = null;
    const refused = this.add(pieces);
    this.select();
    [this.now, this.past, this.future] = [this.pieces(), [], []];
    return refused;
  }

  /** Something was finished: it can be undone from now on. */
  private step(): void {
    this.past.push(this.now);
    this.now = this.pieces();
    this.future = [];
    this.changed();
  }

  private add(pieces: readonly Piece[]): string[] {
    const features = pieces.map((piece): GeoJSONStoreFeatures => {
      const positions = forDrawing(piece.positions);
      const geometry = piece.kind === 'ring' ? { type: 'Polygon' as const, coordinates: [positions] } : piece.kind === 'line' ? { type: 'LineString' as const, coordinates: positions } : { type: 'Point' as const, coordinates: positions[0] ?? [] };
      return { type: 'Feature', id: this.draw.getFeatureId(), geometry, properties: { mode: MODES[piece.kind], part: piece.part, ring: piece.ring } };
    });
    return this.draw.addFeatures(features).flatMap((outcome) => (outcome.valid ? [] : [outcome.reason ?? '']));
  }

  /** Begins to draw something new in place of what is there. */
  begin(kind: Piece['kind']): void {
    this.draw.clear();
    [this.now, this.past, this.future] = [[], [], []];
    this.sort = kind;
    this.draw.setMode(MODES[kind]);
  }

  /** Ends drawing: what stands there now is open to be changed. */
  takeUp(): void {
    this.select();
    this.step();
  }

  /** Opens the first piece to be changed. */
  private select(): void {
    if (this.draw.getMode() !== 'select') this.draw.setMode('select');
    const [first] = this.placed();
    if (first?.id !== undefined) this.draw.selectFeature(first.id);
  }

  private placed(): Placed[] {
    const own = new Set<unknown>(Object.values(MODES));
    return this.draw.getSnapshot().filter((feature) => own.has(feature.properties['mode']) && !('coordinatePointFeatureId' in feature.properties)) as Placed[];
  }

  /** What stands on the map now; what is still under way is none. */
  pieces(): Piece[] {
    if (this.draw.getModeState() === 'drawing') return [];
    return this.placed().map(({ geometry, properties }) => {
      const [part, ring] = [Number(properties['part'] ?? 0), Number(properties['ring'] ?? 0)];
      if (geometry.type === 'Polygon') return { kind: 'ring', part, ring, positions: geometry.coordinates[0] ?? [] };
      if (geometry.type === 'LineString') return { kind: 'line', part, ring, positions: geometry.coordinates };
      return { kind: 'point', part, ring, positions: [geometry.coordinates] };
    });
  }

  /** Gives one piece other vertices, as typed in. */
  replace(order: number, piece: Piece): boolean {
    const held = this.placed()[order];
    if (held?.id === undefined) return this.add([piece]).length === 0;
    const positions = forDrawing(piece.positions);
    const geometry = piece.kind === 'ring' ? { type: 'Polygon' as const, coordinates: [positions] } : piece.kind === 'line' ? { type: 'LineString' as const, coordinates: positions } : { type: 'Point' as const, coordinates: positions[0] ?? [] };
    try {
      this.draw.updateFeatureGeometry(held.id, geometry);
    } catch {
      return false;
    }
    this.step();
    return true;
  }

  private get isUnderWay(): boolean {
    return this.draw.getModeState() === 'drawing';
  }

  get canUndo(): boolean {
    return this.isUnderWay ? this.draw.canUndo() : this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.isUnderWay ? this.draw.canRedo() : this.future.length > 0;
  }

  undo(): void {
    if (this.isUnderWay) this.draw.undo();
    else this.turn(this.past, this.future);
  }

  redo(): void {
    if (this.isUnderWay) this.draw.redo();
    else this.turn(this.future, this.past);
  }

  /** Goes one step from what is now to what lies on top of one pile, and puts what is now on the other. */
  private turn(from: Piece[][], onto: Piece[][]): void {
    const next = from.pop();
    if (!next) return;
    onto.push(this.now);
    this.draw.clear();
    this.now = next;
    if (next.length > 0) {
      this.add(next);
      this.select();
    } else if (this.sort) this.draw.setMode(MODES[this.sort]);
    this.changed();
  }

  /** The middle of the map: where a keyboard puts a vertex. */
  get middle(): Position {
    const { lng, lat } = this.map.getCenter();
    return forDrawing([[lng, lat]])[0] as Position;
  }

  stop(): void {
    if (this.draw.enabled) this.draw.stop();
  }
}

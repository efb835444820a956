// One editing under way: what it started from, what was typed and drawn, what the server says it would do, and what became of it.
// Nothing is saved against another version than the one that its author saw.

import type { Geometry } from 'geojson';
import { itemsPath, readItems } from '../api/client';
import type { Box, Change, EditAnswer, Finding, Item, Tagged, Value } from '../api/types';
import { findingsOf, isStale, patchItem, postChanges, readTagged, versionOf } from '../api/writing';
import { type Field, fieldsOf, readForm, textOf, type Texts } from '../edit/fields';
import { merged, mergeRows, type Row, type Side } from '../edit/merging';
import { follow, Originals, type Piece, piecesOf, shapeOf, stretchesOf } from '../edit/shapes';
import type { Drawing } from '../map/drawing';
import { boxOf } from '../map/labels';
import type { AppState } from './app.svelte';

export type Task = 'edit' | 'new' | 'split' | 'merge' | 'delete';

/** Neighbours that are looked at for common vertices. */
const MOST_NEIGHBOURS = 1000;
/** A pause of the hand after which the server is asked, in milliseconds. */
const PAUSE = 200;

export class Editing {
  task: Task | null = $state(null);
  layer = $state('');
  id = $state('');
  base: Tagged | null = $state.raw(null);
  texts: Texts = $state({});
  note = $state('');
  /** Whether the shape is open on the map. */
  drawing: Drawing | null = $state.raw(null);
  pieces: Piece[] = $state.raw([]);
  canUndo = $state(false);
  canRedo = $state(false);
  /** Whether neighbours' edges follow a common one. */
  following = $state(true);
  followers: Tagged[] = $state.raw([]);
  partners: Tagged[] = $state.raw([]);
  preview: EditAnswer | null = $state.raw(null);
  /** Whether the preview tells of what is drawn now. */
  isPreviewed = $state(false);
  fault: unknown = $state.raw(null);
  findings: Finding[] = $state.raw([]);
  busy = $state(false);
  /** What another made of the feature meanwhile; null: it was deleted. */
  theirs: Tagged | null | undefined = $state.raw(undefined);
  /** Whether the merge dialogue is open. */
  merging = $state(false);
  /** Something that the author must look at again before saving. */
  again = $state(false);
  private neighbours: Item[] = [];
  private originals = new Originals();
  private readonly seen = new Map<string, Tagged>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking: AbortController | null = null;

  constructor(private readonly app: AppState) {}

  /** What kind of shapes the layer has. */
  get layerKind(): string {
    return this.app.layer(this.layer)?.geometry ?? 'none';
  }

  get fields(): Field[] {
    return fieldsOf(this.app.schemas.get(this.layer));
  }

  get form(): ReturnType<typeof readForm> {
    return readForm(this.fields, this.texts, this.task === 'new' ? null : (this.base?.item ?? null));
  }

  /** The shape as it is drawn; null where it is as it was. */
  get shape(): Geometry | null {
    if (this.pieces.length === 0 || this.task === 'split') return null;
    const like = this.base?.item.geometry ?? null;
    const exact = this.pieces.map((piece) => ({ ...piece, positions: this.originals.exact(piece.positions) }));
    const shape = shapeOf(exact, like);
    return JSON.stringify(shape) === JSON.stringify(like) ? null : shape;
  }

  get line(): Geometry | null {
    if (this.task !== 'split' || this.pieces.length === 0) return null;
    return shapeOf(this.pieces.map((piece) => ({ ...piece, positions: this.originals.exact(piece.positions) })), null);
  }

  get isDirty(): boolean {
    if (this.task === null) return false;
    return this.note !== '' || this.pieces.length > 0 && (this.shape !== null || this.line !== null) || this.partners.length > 0 || Object.keys(this.form.values).length > 0 || Object.keys(this.form.problems).some((name) => name in this.texts);
  }

  /** Whether areas change, so that they are shown before they are saved. */
  get needsPreview(): boolean {
    return this.task !== 'edit' || this.shape !== null;
  }

  get isReady(): boolean {
    if (this.busy || this.theirs !== undefined || Object.keys(this.form.problems).length > 0) return false;
    if (this.task === 'edit' && this.shape === null) return Object.keys(this.form.values).length > 0;
    return this.isPreviewed && this.preview !== null && !this.findings.some((finding) => finding.severity !== 'warning');
  }

  async start(task: Task, layer: string, id = ''): Promise<void> {
    this.close();
    [this.task, this.layer, this.id] = [task, layer, id];
    this.busy = true;
    try {
      if (id !== '') this.base = await readTagged(layer, id);
      if (this.base) this.originals.add(this.base.item.geometry);
      if (task === 'new') this.texts = {};
      if (task === 'new' || task === 'split') await this.openDrawing();
      if (task === 'merge' || task === 'delete') this.changed();
    } catch (fault) {
      this.fault = fault;
    }
    this.busy = false;
  }

  /** Opens the shape on the map, or a new one. */
  async openDrawing(): Promise<void> {
    if (this.drawing || !this.app.openDrawing) return;
    const { layer, task } = this;
    const drawing = await this.app.openDrawing(() => this.drawn());
    if (this.task !== task || this.layer !== layer) {
      drawing.stop();
      return;
    }
    this.drawing = drawing;
    const geometry = this.app.layer(layer)?.geometry;
    if (task === 'edit') drawing.put(piecesOf(this.base?.item.geometry ?? null));
    else drawing.begin(task === 'split' || geometry === 'line' ? 'line' : geometry === 'point' ? 'point' : 'ring');
    this.drawn();
    await this.lookAround();
  }

  /** Puts the shape back as it was. */
  closeDrawing(): void {
    this.drawing?.stop();
    this.drawing = null;
    this.pieces = [];
    this.followers = [];
    this.preview = null;
    this.isPreviewed = false;
    this.findings = [];
  }

  /** Reads the features around, whose vertices the hand shall meet. */
  async lookAround(): Promise<void> {
    const box = this.task === 'edit' ? wider(boxOf(this.base?.item.geometry ?? null)) : this.app.box?.();
    if (!box || !this.drawing) return;
    try {
      const { features } = await readItems(itemsPath(this.layer, { bbox: box, limit: MOST_NEIGHBOURS }));
      this.neighbours = features.filter((item) => String(item.id) !== this.id || this.task !== 'edit');
      for (const item of this.neighbours) this.originals.add(item.geometry);
      this.drawing?.snapTo(this.originals.positions);
    } catch (fault) {
      this.fault = fault;
    }
  }

  private drawn(): void {
    const { drawing } = this;
    if (!drawing) return;
    this.pieces = drawing.pieces();
    [this.canUndo, this.canRedo] = [drawing.canUndo, drawing.canRedo];
    this.changed();
  }

  /** What areas depend on was changed: the server is asked what would become of them. */
  changed(): void {
    this.isPreviewed = false;
    this.fault = null;
    this.asking?.abort();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.tryOut(), PAUSE);
  }

  private async tryOut(): Promise<void> {
    if (this.task === null || !this.needsPreview) {
      this.preview = null;
      this.findings = [];
      return;
    }
    const asking = new AbortController();
    this.asking = asking;
    try {
      this.followers = await this.findFollowers();
      const changes = this.changes();
      if (asking.signal.aborted || changes === null) return;
      const preview = await postChanges(this.note, changes, true, asking.signal);
      // What the server says of an edit that it would take is worth a look, and no obstacle.
      const notices = preview.findings.map((finding) => ({ ...finding, severity: 'warning' as const }));
      [this.preview, this.findings, this.isPreviewed, this.fault] = [preview, notices, true, null];
    } catch (fault) {
      if (asking.signal.aborted) return;
      this.preview = null;
      this.findings = findingsOf(fault);
      if (isStale(fault)) await this.meetStale();
      else this.fault = fault;
    }
  }

  /** The neighbours that have a part in what was moved, as the server has them now. */
  private async findFollowers(): Promise<Tagged[]> {
    const stretches = this.stretches();
    if (stretches.length === 0) return [];
    const touched = this.neighbours.filter((item) => follow(item.geometry, stretches) !== null);
    const tagged = await Promise.all(touched.map((item) => this.tagged(String(item.id))));
    return tagged.filter(({ item }) => follow(item.geometry, stretches) !== null);
  }

  private async tagged(id: string): Promise<Tagged> {
    const held = this.seen.get(id) ?? (await readTagged(this.layer, id));
    this.seen.set(id, held);
    return held;
  }

  private stretches(): ReturnType<typeof stretchesOf> {
    if (this.task !== 'edit' || this.shape === null) return [];
    const now = piecesOf(this.shape);
    return piecesOf(this.base?.item.geometry ?? null).flatMap((before) => {
      const after = now.find((piece) => piece.part === before.part && piece.ring === before.ring);
      return before.kind === 'ring' && after ? stretchesOf(before.positions, after.positions) : [];
    });
  }

  /** The edit as the server takes it; null while something is missing. */
  private changes(): Change[] | null {
    const { layer, task, base } = this;
    if (task === 'new') {
      const { shape } = this;
      if (!shape && this.app.layer(layer)?.geometry !== 'none') return null;
      return [{ put: { layer, feature: { type: 'Feature', geometry: shape, properties: this.form.values }, version: null } }];
    }
    if (!base) return null;
    const [id, version] = [Number(this.id), versionOf(base.etag)];
    if (task === 'delete') return [{ delete: { layer, id, version } }];
    if (task === 'split') return this.line ? [{ split: { layer, id, version, line: this.line } }] : null;
    if (task === 'merge') {
      if (this.partners.length === 0) return null;
      const ids = this.partners.map(({ item }) => Number(item.id));
      return [{ merge: { layer, ids: [id, ...ids], versions: [version, ...this.partners.map(({ etag }) => versionOf(etag))], into: id } }];
    }
    const { shape, form } = this;
    const own: Change = { patch: { layer, id, version, ...(Object.keys(form.values).length > 0 ? { properties: form.values } : {}), ...(shape ? { geometry: shape } : {}) } };
    return [own, ...this.following ? this.followerChanges() : []];
  }

  private followerChanges(): Change[] {
    const stretches = this.stretches();
    return this.followers.flatMap(({ item, etag }): Change[] => {
      const geometry = follow(item.geometry, stretches);
      return geometry ? [{ patch: { layer: this.layer, id: Number(item.id), version: versionOf(etag), geometry } }] : [];
    });
  }

  /** Takes a feature that was pointed at among those to be merged, or out again. */
  async pick(id: string): Promise<void> {
    if (id === this.id) return;
    if (this.partners.some(({ item }) => String(item.id) === id)) this.partners = this.partners.filter(({ item }) => String(item.id) !== id);
    else {
      try {
        const partner = await readTagged(this.layer, id);
        this.partners = [...this.partners, partner];
      } catch (fault) {
        this.fault = fault;
        return;
      }
    }
    this.changed();
  }

  async save(): Promise<void> {
    const { layer, id, task, base, note } = this;
    if (!this.isReady || task === null) return;
    this.busy = true;
    this.fault = null;
    try {
      let kept = id;
      if (task === 'edit' && base && (this.shape === null || !this.following || this.followers.length === 0)) {
        const [{ values }, { shape }] = [this.form, this];
        const etag = await patchItem(layer, id, base.etag, { ...(Object.keys(values).length > 0 ? { properties: values } : {}), ...(shape ? { geometry: shape } : {}) }, note);
        if (etag !== '') this.app.live.own.add(versionOf(etag));
      } else {
        const answer = await postChanges(note, this.changes() ?? []);
        if (answer.seq !== null) this.app.live.own.add(answer.seq);
        kept = String(answer.changes.find((change) => change.operation !== 'removed')?.id ?? '');
      }
      this.close();
      this.app.afterSaving(layer, task === 'delete' ? '' : kept);
    } catch (fault) {
      this.findings = findingsOf(fault);
      if (isStale(fault)) await this.meetStale();
      else this.fault = fault;
    }
    this.busy = false;
  }

  /** Looks whether another changed what is being edited. */
  async check(): Promise<void> {
    if (this.task === null || !this.base || this.busy) return;
    const { layer, id, base } = this;
    const now = await readTagged(layer, id).catch((fault: unknown) => (isGone(fault) ? null : undefined));
    if (now === undefined || this.id !== id || this.layer !== layer || this.base !== base || this.busy) return;
    this.seen.clear();
    if (now !== null && versionOf(now.etag) === versionOf(base.etag)) {
      // A neighbour may be another now: what follows is worked out anew.
      if (this.drawing) void this.lookAround().then(() => this.changed());
      return;
    }
    if (now !== null && !this.isDirty) this.restart(now);
    else this.theirs = now;
  }

  /** What was to be saved is not what another left: their version is read, and the author decides. */
  private async meetStale(): Promise<void> {
    const { layer, id, base } = this;
    this.seen.clear();
    try {
      const now = await readTagged(layer, id);
      if (base && versionOf(now.etag) === versionOf(base.etag)) {
        // Not this one but a neighbour or partner is another now.
        this.partners = await Promise.all(this.partners.map(({ item }) => readTagged(layer, String(item.id))));
        await this.lookAround();
        this.again = true;
        this.changed();
        return;
      }
      this.theirs = now;
      if (this.task === 'edit') this.merging = true;
    } catch (fault) {
      if (isGone(fault)) this.theirs = null;
      else this.fault = fault;
    }
  }

  get rows(): Row[] {
    if (!this.base || !this.theirs) return [];
    return mergeRows(this.base.item, this.theirs.item, this.form.values, this.shape, this.fields.map((field) => field.name));
  }

  /** Goes on from their version with what was chosen. */
  async take(chosen: Record<string, Side>): Promise<void> {
    const [{ theirs }, outcome] = [this, merged(this.rows, chosen)];
    if (!theirs || !outcome) return;
    const kept = outcome.shape ? this.pieces : null;
    this.texts = Object.fromEntries(Object.entries(outcome.values).map(([name, value]: [string, Value]) => [name, textOf(value)]));
    [this.base, this.theirs, this.merging, this.fault] = [theirs, undefined, false, null];
    this.originals.add(theirs.item.geometry);
    if (this.drawing && !kept) this.drawing.put(piecesOf(theirs.item.geometry));
    this.changed();
    if (!outcome.shape && Object.keys(outcome.values).length > 0) await this.save();
    else if (!outcome.shape) {
      // All of theirs was taken: there is nothing left to save.
      const { layer, id } = this;
      this.close();
      this.app.afterSaving(layer, id);
    } else this.again = true;
  }

  /** For split, merge and delete, and where nothing was typed: goes on from what another left. */
  restart(theirs: Tagged): void {
    [this.base, this.theirs, this.again] = [theirs, undefined, true];
    this.originals.add(theirs.item.geometry);
    if (this.drawing && this.task === 'edit') this.drawing.put(piecesOf(theirs.item.geometry));
    this.changed();
  }

  /** What was edited is gone: what was typed and drawn becomes a new feature. */
  async reborn(): Promise<void> {
    const [{ base, texts, layer }, pieces] = [this, this.pieces];
    if (!base) return;
    const all = Object.fromEntries(this.fields.map((field) => [field.name, texts[field.name] ?? textOf(base.item.properties[field.name])]));
    const kept = pieces.length > 0 ? pieces : piecesOf(base.item.geometry);
    await this.start('new', layer);
    this.texts = all;
    this.originals.add(base.item.geometry);
    this.drawing?.put(kept);
    this.drawn();
  }

  undo(): void {
    this.drawing?.undo();
  }

  redo(): void {
    this.drawing?.redo();
  }

  close(): void {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.closeDrawing();
    [this.task, this.layer, this.id, this.base, this.texts, this.note] = [null, '', '', null, {}, ''];
    [this.partners, this.fault, this.theirs, this.merging, this.again, this.busy, this.following] = [[], null, undefined, false, false, false, true];
    this.neighbours = [];
    this.originals = new Originals();
    this.seen.clear();
  }
}

const isGone = (fault: unknown): boolean => fault instanceof Error && 'status' in fault && (fault.status === 404 || fault.status === 410);

/** A box with some of what is around it. */
function wider(box: Box | null): Box | null {
  if (!box) return null;
  const [x, y] = [(box[2] - box[0]) * 0.25 + 2e-4, (box[3] - box[1]) * 0.25 + 2e-4];
  return [box[0] - x, box[1] - y, box[2] + x, box[3] + y];
}

// What the page knows and what it shows. The view is the address; the rest comes from the server and is kept as it came.

import { SvelteMap } from 'svelte/reactivity';
import { readCollections, readSchema, readStatistics, readTargets, statisticsPath, tilesUrl } from '../api/client';
import type { Box, Collection, FeedEntry, Finding, Item, LayerSchema, Property, Session, Statistics, Target, Unit, Value } from '../api/types';
import { readSession } from '../api/writing';
import { figure, valueText } from '../format/figures';
import { findingText, layerTitle, propertyTitle, text, valueTitle, type Words } from '../i18n/text';
import type { Key } from '../i18n/zh';
import { type Class, classesOf, favourite, gathers, groupable, layerColor, OTHER } from '../map/colors';
import type { Crowd } from '../map/controller';
import type { Drawing } from '../map/drawing';
import { WHOLE_LAYER } from '../map/loader';
import { type Look, rank, shownAtFirst } from '../map/style';
import type { Answer } from './answer.svelte';
import { Editing } from './editing.svelte';
import { type Clause, cqlOf, cqlWithout, sameClause } from './filters';
import { formatHash, parseHash, type View } from './hash';
import { Live } from './live.svelte';
import { LayoutState } from './media.svelte';
import { datetimeOf } from './moment';

/** Faults of which the server's sentence holds figures. */
const WITH_FIGURES = new Set(['overlaps', 'outside', 'left-outside', 'area-not-kept', 'bad-part', 'apart', 'below-minimum', 'above-maximum', 'not-in-list', 'wrong-type', 'bad-text']);

type KnownUnit = Unit | 'count' | 'percent';

/** How a user names a feature: the first of these properties that has a value. */
const NAMES = ['name', '名称', 'title', 'code', '编号'];
/** Layers whose features have their name written on the map. */
const UNNAMED = new Set(['parcels', 'landuse', 'supply', 'constraints', 'tasks']);

export class AppState {
  view: View = $state(parseHash(location.hash).view);
  unread: string[] = $state(parseHash(location.hash).unread);
  collections: Collection[] | null = $state(null);
  targets: Target[] = $state([]);
  targetsFault: unknown = $state(null);
  fault: unknown = $state(null);
  readonly schemas = new SvelteMap<string, LayerSchema>();
  /** Statistics of a layer by its colouring property, for the legend: key is the path asked. */
  readonly legends = new SvelteMap<string, Statistics>();
  /** What could not be read of a layer for the map, by layer. */
  readonly notices = new SvelteMap<string, string>();
  /** The features under the last click, the topmost first. */
  hits: { layer: string; id: string }[] = $state([]);
  /** The marks under the last click that stand for several features. */
  crowds: Crowd[] = $state.raw([]);
  /** The selected feature as the server has it; asked by the page, whichever panel is open. */
  selection: Answer<Item> | null = $state.raw(null);
  readonly layout = new LayoutState();
  /** On a narrow window: whether only the tabs of the sheet are shown. */
  collapsed = $state(false);
  announcement = $state('');
  mapBusy = $state(true);
  /** Set by the map: shows a feature or a layer. */
  goTo: ((target: { item?: Item; layer?: Collection; crowd?: Crowd; box?: Box }) => void) | null = null;
  /** Set by the map: where it is. */
  box: (() => Box) | null = null;
  /** Set by the map, where there is one: opens it to be drawn on. */
  openDrawing: ((changed: () => void) => Promise<Drawing>) | null = $state.raw(null);
  session: Session | null = $state.raw(null);
  readonly editing = new Editing(this);
  readonly live = new Live((entries) => this.follow(entries), () => this.editing.busy);
  /** An old version that is shown beside the present one. */
  ghost: Item | null = $state.raw(null);
  /** Whether it was tried to leave an edit that is not saved. */
  unsaved = $state(false);
  /** The number of the last edit of each layer that the page has heard of. */
  private readonly revisions = new SvelteMap<string, number>();
  private readonly asked = new Set<string>();

  t = (key: Key, words?: Words): string => text(this.view.lang, key, words);

  textOf = valueText;

  /** The sign of a unit; one that the page does not know stands as the server wrote it. */
  unit = (unit: string): string => (isUnit(unit) ? this.t(`unit.${unit}`) : unit);

  async start(): Promise<void> {
    this.fault = null;
    try {
      this.collections = await readCollections();
    } catch (fault) {
      this.fault = fault;
      return;
    }
    void this.loadSession();
    void this.live.start();
    await Promise.all(this.collections.map((layer) => this.loadSchema(layer.id)));
  }

  async loadSession(): Promise<void> {
    // Who cannot be known may not edit; what may be read is the server's own affair.
    this.session = await readSession().catch(() => ({ user: null, role: '', mayEdit: [], signIn: null }));
  }

  /** The moment of which the page tells, as the server is asked for it; nothing for the present. */
  get moment(): string | undefined {
    return datetimeOf(this.view.asof);
  }

  /** To be read where an answer shall be asked anew after a change of the layer. */
  revision(layer: string): number {
    return this.revisions.get(layer) ?? 0;
  }

  mayEdit(layer: string): boolean {
    const may = this.session?.mayEdit ?? [];
    return this.view.asof === null && (may === true || may.includes(layer));
  }

  /** Takes over what was changed: all that is shown of the layers concerned is asked anew. */
  private follow(entries: readonly FeedEntry[]): void {
    const touched = new Set<string>();
    for (const { seq, layers } of entries) {
      for (const { id } of layers) {
        touched.add(id);
        this.revisions.set(id, Math.max(seq, this.revision(id)));
      }
    }
    void this.reload(touched);
    if (touched.has(this.editing.layer)) void this.editing.check();
  }

  private async reload(layers: ReadonlySet<string>): Promise<void> {
    for (const path of this.legends.keys()) if ([...layers].some((id) => path.startsWith(statisticsPath(id)))) this.askLegend(path, true);
    void this.loadTargets();
    try {
      this.collections = await readCollections();
      const unknown = this.collections.filter((layer) => !this.schemas.has(layer.id));
      await Promise.all(unknown.map((layer) => this.loadSchema(layer.id)));
    } catch {
      // The counts stay as they were until the next change.
    }
  }

  /** After one's own edit: shows what became of it without waiting for the feed. */
  afterSaving(layer: string, id: string): void {
    this.revisions.set(layer, this.revision(layer) + 0.5);
    void this.reload(new Set([layer]));
    if (id === '') this.deselect();
    else if (this.view.select?.id !== id || this.view.select.layer !== layer) this.select(layer, id);
    this.announcement = this.t('edit.saved');
  }

  async loadTargets(): Promise<void> {
    try {
      this.targetsFault = null;
      this.targets = await readTargets(this.moment);
    } catch (fault) {
      this.targetsFault = fault;
    }
  }

  private async loadSchema(layer: string): Promise<void> {
    try {
      this.schemas.set(layer, await readSchema(layer));
    } catch {
      // A layer whose schema cannot be read is still drawn, in one colour and with the names of its columns.
      this.schemas.set(layer, { properties: {} });
    }
  }

  /** Takes over an address that was typed or went back to. */
  followHash(): void {
    const { view, unread } = parseHash(location.hash);
    // An address without a place leaves the map where it is.
    this.view = { ...view, camera: view.camera ?? this.view.camera };
    this.unread = unread;
  }

  writeHash(): void {
    const wanted = `#${formatHash(this.view)}`;
    if (wanted !== location.hash && decodeURI(wanted) !== safeDecode(location.hash)) history.replaceState(null, '', wanted);
  }

  layer(id: string): Collection | undefined {
    return this.collections?.find((layer) => layer.id === id);
  }

  /** What a finding says: the page's own words where it knows the fault, else the server's. */
  findingText(finding: Finding): string {
    const words = { m2: finding.printed_m2 === undefined ? '' : figure(Math.abs(finding.printed_m2), 2) };
    return findingText(this.view.lang, finding.fault ?? '', words) ?? finding.message;
  }

  /** Whether the server's own words say more, such as how much and with whom. */
  hasFigures(finding: Finding): boolean {
    return WITH_FIGURES.has(finding.fault ?? '') && this.findingText(finding) !== finding.message;
  }

  title(id: string): string {
    const layer = this.layer(id);
    return layer ? layerTitle(this.view.lang, layer) : id;
  }

  property(layer: string, name: string): Property | undefined {
    return this.schemas.get(layer)?.properties[name];
  }

  propertyTitle(layer: string, name: string): string {
    return propertyTitle(this.view.lang, name, this.property(layer, name));
  }

  valueTitle(layer: string, name: string, value: Value): string {
    return valueTitle(this.view.lang, value === null ? null : String(value), this.property(layer, name));
  }

  /** The layers that are shown: of the address, else the page's choice. */
  get shown(): string[] {
    const all = this.collections ?? [];
    return this.view.layers ? this.view.layers.filter((id) => this.layer(id)) : shownAtFirst(all);
  }

  get missing(): string[] {
    return this.collections && this.view.layers ? this.view.layers.filter((id) => !this.layer(id)) : [];
  }

  /** The layer whose table is opened when nobody chose: the selected one, else the largest that is shown. */
  get tableAtFirst(): string | null {
    if (this.view.select) return this.view.select.layer;
    const layers = this.shown.map((id) => this.layer(id)).filter((layer) => layer !== undefined);
    const [largest] = layers.toSorted((a, b) => b.itemCount - a.itemCount);
    return largest?.id ?? this.collections?.[0]?.id ?? null;
  }

  toggleLayer(id: string): void {
    const shown = this.shown;
    this.view.layers = shown.includes(id) ? shown.filter((other) => other !== id) : [...shown, id];
  }

  /** Choices of the address that no layer can be coloured by: its small features could not be gathered by them. */
  get uncolored(): string[] {
    return Object.entries(this.view.colorBy).filter(([layer, name]) => this.schemas.has(layer) && !gathers(this.property(layer, name), name)).map(([layer, name]) => `by=${layer}:${name}`);
  }

  forgetUncolored(): void {
    for (const [layer, name] of Object.entries(this.view.colorBy)) if (!gathers(this.property(layer, name), name)) delete this.view.colorBy[layer];
  }

  colorProperty(layer: string): string {
    const chosen = this.view.colorBy[layer];
    if (chosen !== undefined && gathers(this.property(layer, chosen), chosen)) return chosen;
    return favourite(layer, this.schemas.get(layer));
  }

  setColorProperty(layer: string, property: string): void {
    if (property === favourite(layer, this.schemas.get(layer))) delete this.view.colorBy[layer];
    else this.view.colorBy[layer] = property;
    delete this.view.hidden[layer];
  }

  colorChoices(layer: string): string[] {
    return groupable(this.schemas.get(layer)).filter((name) => name !== 'provenance');
  }

  toggleClass(layer: string, key: string, alone: boolean): void {
    const all = this.classes(layer).map((entry) => entry.key);
    const hidden = this.view.hidden[layer] ?? [];
    let next = hidden.includes(key) ? hidden.filter((other) => other !== key) : [...hidden, key];
    if (alone) {
      const others = all.filter((other) => other !== key);
      const isAlone = !hidden.includes(key) && others.every((other) => hidden.includes(other));
      next = isAlone ? [] : others;
    }
    if (next.length === 0) delete this.view.hidden[layer];
    else this.view.hidden[layer] = next;
  }

  filterOf(layer: string, except?: string): string | undefined {
    return cqlOf(this.view.filter, layer, this.schemas.get(layer)?.properties ?? {}, except);
  }

  /** The features of a layer that the map shows: those of the filter without the classes that the legend switched off. */
  drawnFilter(layer: string): string {
    const [property, hidden] = [this.colorProperty(layer), this.view.hidden[layer] ?? []];
    const parts = [this.filterOf(layer) ?? ''];
    if (property !== '' && hidden.length > 0) {
      const named = hidden.filter((key) => key !== OTHER);
      const listed = hidden.includes(OTHER) ? this.classes(layer).map((entry) => entry.key).filter((key) => key !== OTHER) : null;
      parts.push(cqlWithout(property, named, listed, this.property(layer, property)));
    }
    return parts.filter((part) => part !== '').join(' AND ');
  }

  toggleClause(clause: Clause): void {
    const has = this.view.filter.some((other) => sameClause(other, clause));
    this.view.filter = has ? this.view.filter.filter((other) => !sameClause(other, clause)) : [...this.view.filter, clause];
    const shown = this.shown;
    if (!has && !shown.includes(clause.layer) && this.layer(clause.layer)?.geometry !== 'none') this.view.layers = [...shown, clause.layer];
  }

  /** The question behind the legend of a layer; empty where one colour does. */
  legendPath(layer: string): string {
    const property = this.colorProperty(layer);
    if (property === '' || !this.schemas.has(layer)) return '';
    const filter = this.filterOf(layer);
    return statisticsPath(layer, { groupBy: property, unit: this.view.unit, datetime: this.moment, ...(filter ? { filter } : {}) });
  }

  /** The same for all features of the layer. */
  private wholeLegendPath(layer: string): string {
    return statisticsPath(layer, { groupBy: this.colorProperty(layer), unit: this.view.unit, datetime: this.moment });
  }

  classes(layer: string): Class[] {
    const property = this.colorProperty(layer);
    // The colours follow the unfiltered legend, so that a filter never repaints what stays.
    const whole = this.legends.get(this.wholeLegendPath(layer));
    const now = this.legends.get(this.legendPath(layer));
    if (!whole) return [];
    const classes = classesOf(property, this.property(layer, property), whole.groups);
    if (!this.filterOf(layer) || !now) return classes;
    const counts = new Map(classesOf(property, this.property(layer, property), now.groups).map((entry) => [entry.key, entry]));
    return classes.map((entry) => (entry.count === null ? entry : { ...entry, count: counts.get(entry.key)?.count ?? 0, group: counts.get(entry.key)?.group ?? null }));
  }

  /** Asks for the figures of the legends that are shown and not yet known. */
  askLegends(): void {
    for (const id of this.shown) {
      const path = this.legendPath(id);
      if (path === '') continue;
      this.askLegend(path);
      this.askLegend(this.wholeLegendPath(id));
    }
  }

  private askLegend(path: string, again = false): void {
    if (this.asked.has(path) && !again) return;
    this.asked.add(path);
    readStatistics(path).then(
      (statistics) => this.legends.set(path, statistics),
      // The layer stays in one colour; the overview says what is wrong with its figures.
      () => this.asked.delete(path),
    );
  }

  get looks(): Look[] {
    const shown = new Set(this.shown);
    return (this.collections ?? [])
      .filter((layer) => layer.geometry !== 'none')
      .map((layer, order) => this.lookOf(layer, order, shown));
  }

  private lookOf(layer: Collection, order: number, shown: ReadonlySet<string>): Look {
    const { id } = layer;
    // Until its schema is there, nobody knows what its tiles shall hold.
    const visible = shown.has(id) && this.schemas.has(id);
    const [property, label] = [this.colorProperty(id), visible ? this.labelProperty(id) : ''];
    return {
      layer,
      color: layerColor(layer, order),
      property,
      classes: visible ? this.classes(id) : [],
      visible,
      tiles: visible ? tilesUrl(id, { properties: this.namesIn(id), color: property, filter: this.drawnFilter(id), datetime: this.moment }) : '',
      revision: visible ? this.revision(id) : 0,
      // A town and its seat have the same name: once is enough.
      label: id === 'towns' && shown.has('seats') ? '' : label,
      pointed: layer.geometry !== 'point' && layer.itemCount <= WHOLE_LAYER,
    };
  }

  /** The layers of the legend, the topmost first. */
  get ordered(): Collection[] {
    return (this.collections ?? []).toReversed().toSorted((a, b) => rank(b) - rank(a));
  }

  /** What a feature is called. */
  nameOf(properties: Record<string, unknown>, id: string): string {
    for (const name of NAMES) {
      const value = properties[name];
      if (typeof value === 'string' && value !== '') return value;
    }
    return `#${id}`;
  }

  /** The properties by which features of a layer may be called. */
  private namesIn(layer: string): string[] {
    return NAMES.filter((name) => this.property(layer, name)?.type === 'string');
  }

  /** The property that is written on the map, if the layer has names that people know. */
  private labelProperty(layer: string): string {
    return UNNAMED.has(layer) ? '' : (this.namesIn(layer).find((name) => name === 'name' || name === '名称') ?? '');
  }

  /** Whether what is typed or drawn keeps its place; it is said once more that it is not saved. */
  private holds(): boolean {
    if (this.editing.isDirty) {
      this.announcement = this.t('edit.unsaved');
      this.unsaved = true;
      return true;
    }
    this.editing.close();
    return false;
  }

  /** Begins a new feature of a layer. */
  addTo(layer: string): void {
    if (this.holds()) return;
    this.deselect();
    this.view.panel = 'feature';
    this.collapsed = false;
    if (this.layout.now !== 'wide') this.view.table = null;
    void this.editing.start('new', layer);
  }

  select(layer: string, id: string, hits?: { layer: string; id: string }[], crowds: Crowd[] = []): void {
    if (this.holds()) return;
    this.ghost = null;
    this.hits = hits ?? [{ layer, id }];
    this.crowds = crowds;
    this.view.select = { layer, id };
    this.view.panel = 'feature';
    this.collapsed = false;
    // Where the table shares its place with the other panels, it gives way to what was chosen.
    if (this.layout.now !== 'wide') this.view.table = null;
  }

  /** Says what a mark stands for, instead of a feature. */
  meet(crowds: Crowd[]): void {
    this.deselect();
    this.crowds = crowds;
    this.view.panel = 'feature';
    this.collapsed = false;
    if (this.layout.now !== 'wide') this.view.table = null;
    this.announcement = crowds.map((crowd) => this.crowdText(crowd)).join(this.t('banner.join'));
  }

  crowdText(crowd: Crowd): string {
    const surface = this.layer(crowd.layer)?.geometry === 'surface';
    return this.t(surface ? 'feature.crowd.surface' : 'feature.crowd', { n: figure(crowd.count), layer: this.title(crowd.layer) });
  }

  /** The selected feature, once it is there. */
  get selected(): Item | null {
    const item = this.selection?.data ?? null;
    return item && this.view.select && String(item.id) === this.view.select.id ? item : null;
  }

  deselect(): void {
    if (this.holds()) return;
    this.ghost = null;
    this.view.select = null;
    this.hits = [];
    this.crowds = [];
    this.announcement = '';
    if (this.view.panel === 'feature') this.view.panel = 'overview';
  }
}

const isUnit = (unit: string): unit is KnownUnit => ['mu', 'ha', 'km2', 'm2', 'count', 'percent'].includes(unit);

function safeDecode(hash: string): string {
  try {
    return decodeURI(hash);
  } catch {
    return hash;
  }
}

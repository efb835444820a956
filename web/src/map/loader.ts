// Keeps the features of the shown layers at hand: small layers whole, large ones by the box of the view. It never passes off a
// part as the whole: what was matched and what was returned are kept side by side.

import { itemsPath, PAGE_LIMIT, readItems } from '../api/client';
import type { Box, Collection, Item } from '../api/types';

/** Layers up to this size are fetched whole, once per filter. */
export const WHOLE_LAYER = 3_000;

export interface Loaded {
  features: Item[];
  shown: number;
  matched: number;
}

export type Outcome = { kind: 'data'; loaded: Loaded } | { kind: 'failed'; reason: unknown };

interface Held {
  filter: string;
  /** The box that was asked for; null: the whole layer. */
  box: Box | null;
  complete: boolean;
}

interface Running {
  filter: string;
  box: Box | null;
  abort: AbortController;
}

/** A margin around the view, so that a small move needs no request. */
function padded([west, south, east, north]: Box): Box {
  const [dx, dy] = [(east - west) * 0.2, (north - south) * 0.2];
  return [Math.max(-180, west - dx), Math.max(-90, south - dy), Math.min(180, east + dx), Math.min(90, north + dy)];
}

const covers = (outer: Box, inner: Box): boolean => outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3];

export class Loader {
  private readonly held = new Map<string, Held>();
  private readonly running = new Map<string, Running>();

  constructor(
    private readonly tell: (layer: string, outcome: Outcome) => void,
    private readonly busyChanged: (busy: boolean) => void,
  ) {}

  get busy(): boolean {
    return this.running.size > 0;
  }

  /** Sees to it that the layer is loaded for this view and filter. */
  want(layer: Collection, view: Box, filter = ''): void {
    const whole = layer.itemCount <= WHOLE_LAYER;
    const held = this.held.get(layer.id);
    if (held && held.filter === filter && held.complete && (held.box === null || covers(held.box, view))) return;
    const running = this.running.get(layer.id);
    if (running && running.filter === filter && (running.box === null || covers(running.box, view))) return;
    running?.abort.abort();
    void this.fetch(layer.id, whole ? null : padded(view), view, filter);
  }

  /** Forgets a layer and stops what runs for it. */
  drop(layer: string): void {
    this.running.get(layer)?.abort.abort();
    this.running.delete(layer);
    this.held.delete(layer);
    this.busyChanged(this.busy);
  }

  private async fetch(layer: string, box: Box | null, view: Box, filter: string): Promise<void> {
    const abort = new AbortController();
    this.running.set(layer, { filter, box, abort });
    this.busyChanged(true);
    try {
      let [asked, loaded] = [box, await this.page(layer, box, filter, abort.signal)];
      if (box && loaded.shown < loaded.matched) {
        // The margin cost features of the view itself: ask for the view alone.
        [asked, loaded] = [view, await this.page(layer, view, filter, abort.signal)];
      }
      this.held.set(layer, { filter, box: asked, complete: loaded.shown >= loaded.matched });
      this.tell(layer, { kind: 'data', loaded });
    } catch (reason) {
      if (!abort.signal.aborted) this.tell(layer, { kind: 'failed', reason });
    } finally {
      if (this.running.get(layer)?.abort === abort) this.running.delete(layer);
      this.busyChanged(this.busy);
    }
  }

  private async page(layer: string, box: Box | null, filter: string, signal: AbortSignal): Promise<Loaded> {
    const page = await readItems(itemsPath(layer, { limit: PAGE_LIMIT, ...(box ? { bbox: box } : {}), ...(filter ? { filter } : {}) }), signal);
    const shown = page.features.length;
    const more = page.links?.some((link) => link.rel === 'next') ?? false;
    return { features: page.features, shown, matched: page.numberMatched ?? (more ? Infinity : shown) };
  }
}

// Points for the names of the shown layers, one a feature, so that no name is repeated at the seams of tiles. For small layers only:
// the names of large ones are written from their tiles.

import { itemsPath, readItems } from '../api/client';
import type { Collection, Item } from '../api/types';

/** Layers up to this size have points of their own for their names; one answer holds them all. */
export const WHOLE_LAYER = 3_000;

export type Outcome = { kind: 'data'; features: Item[] } | { kind: 'failed'; reason: unknown };

export class Loader {
  /** The questions that are answered or under way, by layer. */
  private readonly asked = new Map<string, { path: string; revision: number; abort: AbortController; done: boolean }>();

  constructor(
    private readonly tell: (layer: string, outcome: Outcome) => void,
    private readonly busyChanged: (busy: boolean) => void,
  ) {}

  get busy(): boolean {
    return [...this.asked.values()].some((question) => !question.done);
  }

  /** Sees to it that the names of the layer under this filter are loaded. */
  want(layer: Collection, label: string, query: { filter: string; datetime?: string | undefined }, revision = 0): void {
    const path = itemsPath(layer.id, { limit: WHOLE_LAYER, properties: label, ...query });
    const held = this.asked.get(layer.id);
    if (held?.path === path && held.revision === revision) return;
    held?.abort.abort();
    void this.fetch(layer.id, path, revision);
  }

  /** Forgets a layer and stops what runs for it. */
  drop(layer: string): void {
    this.asked.get(layer)?.abort.abort();
    this.asked.delete(layer);
    this.busyChanged(this.busy);
  }

  private async fetch(layer: string, path: string, revision: number): Promise<void> {
    const question = { path, revision, abort: new AbortController(), done: false };
    this.asked.set(layer, question);
    this.busyChanged(true);
    const current = (): boolean => this.asked.get(layer) === question;
    try {
      const page = await readItems(path, question.abort.signal);
      if (current()) this.tell(layer, { kind: 'data', features: page.features });
    } catch (reason) {
      if (current()) {
        this.tell(layer, { kind: 'failed', reason });
        // Forgotten, so that it is asked again when the map asks for the layer again.
        this.asked.delete(layer);
      }
    }
    question.done = true;
    this.busyChanged(this.busy);
  }
}

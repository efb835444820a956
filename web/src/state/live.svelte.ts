// What others do, as it happens: the feed of changes, listened to while the page is looked at.

import { base, RequestFault } from '../api/client';
import type { FeedEntry } from '../api/types';
import { readFeed } from '../api/writing';

/** Entries of the feed that are kept to be shown. */
const MOST = 100;
/** Several changes at once are told as one, after so many milliseconds. */
const PAUSE = 80;
const RETRY = 3_000;

export class Live {
  /** The newest first. */
  entries: FeedEntry[] = $state.raw([]);
  head = $state(0);
  /** When the record begins; null where nobody knows. */
  began: string | null = $state(null);
  /** Whether the server tells changes as they happen; null before it was asked. */
  connected: boolean | null = $state(null);
  /** What just came from others, to be told quietly. */
  news: FeedEntry[] = $state.raw([]);
  /** Edits of this page. */
  readonly own = new Set<number>();
  private source: EventSource | null = null;
  private fresh: FeedEntry[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;

  /** `arrived` is told what is new, several entries at once where they come so; not while `isSaving`, so that one's own is known as such. */
  constructor(
    private readonly arrived: (entries: FeedEntry[]) => void,
    private readonly isSaving: () => boolean,
  ) {}

  async start(): Promise<void> {
    this.stopped = false;
    try {
      const { head, changes: first } = await readFeed(0, 1);
      this.began = first[0]?.at ?? null;
      const { changes } = await readFeed(Math.max(0, head - MOST), MOST);
      this.entries = changes.toReversed();
      this.head = Math.max(head, ...changes.map((entry) => entry.seq));
    } catch (fault) {
      this.connected = false;
      // A server without a feed stays without.
      if (!(fault instanceof RequestFault && fault.status === 404)) this.later(() => void this.start());
      return;
    }
    if (!this.stopped) this.listen();
  }

  private listen(): void {
    // A page that nobody looks at gives its connection back; browsers allow a server few. It catches up when it is looked at again.
    if (document.visibilityState === 'hidden' || this.source) return;
    const source = new EventSource(`${base()}/changes?f=sse&since=${this.head}`);
    this.source = source;
    source.addEventListener('open', () => (this.connected = true));
    source.addEventListener('change', (event: MessageEvent<string>) => this.take(JSON.parse(event.data) as FeedEntry));
    source.addEventListener('error', () => {
      this.connected = false;
      if (source.readyState !== EventSource.CLOSED) return;
      this.release();
      this.later(() => this.listen());
    });
  }

  private later(step: () => void): void {
    clearTimeout(this.retry);
    if (!this.stopped) this.retry = setTimeout(step, RETRY);
  }

  private take(entry: FeedEntry): void {
    if (entry.seq <= this.head) return;
    this.head = entry.seq;
    this.entries = [entry, ...this.entries].slice(0, MOST);
    this.fresh.push(entry);
    this.tellSoon();
  }

  private tellSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.isSaving()) {
        this.tellSoon();
        return;
      }
      const fresh = this.fresh;
      this.fresh = [];
      const others = fresh.filter(({ seq }) => !this.own.has(seq));
      if (others.length > 0) this.news = [...others.toReversed(), ...this.news].slice(0, 3);
      this.arrived(fresh);
    }, PAUSE);
  }

  visibility = (): void => {
    if (document.visibilityState === 'hidden') this.release();
    else if (!this.stopped && this.connected !== null) this.listen();
  };

  dismiss(seq: number): void {
    this.news = this.news.filter((entry) => entry.seq !== seq);
  }

  private release(): void {
    this.source?.close();
    this.source = null;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    clearTimeout(this.timer);
    this.release();
  }
}

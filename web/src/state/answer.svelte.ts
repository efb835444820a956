// One question to the server that a component asks, asked anew when its path changes; the last answer stays until the next is there.

import { read } from '../api/client';

export class Answer<T> {
  data: T | null = $state.raw(null);
  fault: unknown = $state.raw(null);
  loading = $state(true);
  private round = $state(0);

  /** `path` is read inside an effect; null asks nothing. */
  constructor(path: () => string | null) {
    $effect(() => {
      const wanted = path();
      void this.round;
      if (wanted === null) {
        this.data = null;
        this.fault = null;
        this.loading = false;
        return undefined;
      }
      const abort = new AbortController();
      this.loading = true;
      read<T>(wanted, abort.signal).then(
        (data) => {
          this.data = data;
          this.fault = null;
          this.loading = false;
        },
        (fault: unknown) => {
          if (abort.signal.aborted) return;
          this.data = null;
          this.fault = fault;
          this.loading = false;
        },
      );
      return () => abort.abort();
    });
  }

  retry = (): void => {
    this.round += 1;
  };
}

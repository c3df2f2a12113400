/** Limits concurrent work to a number of slots. */
export interface Semaphore {
  /** Takes a slot, and waits until one is free. The caller must release the slot. */
  acquire(rank?: string): Promise<void>;
  release(): void;
  /** Runs the work in a slot of its own. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** A free slot goes to the waiting call with the lowest rank (compared as text), among equal ranks to the first one. */
export function createSemaphore(count: number): Semaphore {
  let free = count;
  const waiting: { rank: string; go(): void }[] = [];
  const semaphore: Semaphore = {
    async acquire(rank = "") {
      if (free > 0) {
        free -= 1;
        return;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      const before = waiting.findLastIndex((other) => other.rank <= rank);
      waiting.splice(before + 1, 0, { rank, go: resolve });
      await promise;
    },
    release() {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next.go();
    },
    async run(work) {
      await semaphore.acquire();
      try {
        return await work();
      } finally {
        semaphore.release();
      }
    },
  };
  return semaphore;
}

/** A number of places for work at the same time, and who waits for one. */
export interface Semaphore {
  /** Resolves when a place is free and nobody waits whose rank is lower. Each place taken must be given back. */
  acquire(rank?: string): Promise<void>;
  release(): void;
}

/** Places go to the lowest rank first (as text), among equals to whoever asked first. */
export function createSemaphore(count: number): Semaphore {
  let free = count;
  const waiting: { rank: string; go(): void }[] = [];
  return {
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
  };
}

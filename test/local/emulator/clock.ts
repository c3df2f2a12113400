/** The emulator's clock: the machine's time plus an offset. */
export interface EmulatorClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Offset from the machine's time, in milliseconds. */
  offsetMs(): number;
  /** Moves the clock ahead and calls `onOffset`. Rejects and keeps the offset where `onOffset` rejects. */
  advance(milliseconds: number): Promise<void>;
  /** Resets the clock to the machine's time. */
  reset(): Promise<void>;
}

/** `onOffset` is awaited at every change of the offset. */
export function createClock(onOffset: (offsetMs: number) => Promise<void> = async () => {}): EmulatorClock {
  let offset = 0;
  let moving = Promise.resolve();

  /** Moves run one after the other: concurrent ones would start from the same offset, and one would be lost. */
  function move(next: () => number): Promise<void> {
    const moved = moving.then(async () => {
      const target = next();
      if (target === offset) return;
      await onOffset(target);
      offset = target;
    });
    moving = moved.catch(() => {});
    return moved;
  }

  return {
    now: () => Date.now() + offset,
    offsetMs: () => offset,
    advance: (milliseconds) => move(() => offset + milliseconds),
    reset: () => move(() => 0),
  };
}

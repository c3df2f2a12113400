/** The emulator's time: the machine's, plus what the clock has been advanced by. */
export interface EmulatorClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** How far the clock is ahead of the machine's, in milliseconds. */
  offsetMs(): number;
  /** Moves the clock ahead and tells the others; rejects, and stays where it was, where telling them failed. */
  advance(milliseconds: number): Promise<void>;
  /** Back to the machine's time. */
  reset(): Promise<void>;
}

/** `onOffset` is told of every change before it is answered for. */
export function createClock(onOffset: (offsetMs: number) => Promise<void> = async () => {}): EmulatorClock {
  let offset = 0;
  let moving = Promise.resolve();

  /** One move at a time, or two of them would start from the same offset and one be lost. */
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

import { failAt, type Hook, stopAt } from "./calls.ts";
import { createWorld, type Process, type World } from "./world.ts";

/** A way to interrupt an operation. */
export interface Interruption {
  /** Part of a title: the call, and what happens there. */
  name: string;
  hook: Hook;
}

/**
 * All interruptions of an operation: for each of its calls, the process stops before or after it, the call fails before
 * its effect, or its response is lost.
 *
 * @param arrange creates the world of the operation, each time with the same contents.
 */
export async function interruptionsOf(
  arrange: () => Promise<World>,
  operate: (process: Process, world: World) => Promise<unknown>,
): Promise<Interruption[]> {
  const names = await callNames(arrange, operate);
  return names.flatMap((call, index) =>
    (["before", "after"] as const).flatMap((when) => [
      { name: `stopped ${when} call ${index + 1}, ${call}`, hook: stopAt(index + 1, when) },
      { name: `call ${index + 1}, ${call}, fails ${when} its effect`, hook: failAt(index + 1, when) },
    ]),
  );
}

/** A point at which another process acts during an operation. */
export interface Interleaving {
  /** Part of a title: the call before which it acts. */
  name: string;
  /** The hook of the operation's process: runs `act` of the other process to its end. */
  run(act: () => Promise<unknown>): Hook;
}

/** All interleavings of an operation with an act of another process: one before each of its calls. */
export async function interleavingsOf(
  arrange: () => Promise<World>,
  operate: (process: Process, world: World) => Promise<unknown>,
): Promise<Interleaving[]> {
  const names = await callNames(arrange, operate);
  return names.map((call, index) => ({
    name: `before call ${index + 1}, ${call}`,
    run: (act) => interleave(index + 1, act),
  }));
}

/** Runs `act` of another process to its end before the call of this number. */
export function interleave(callNumber: number, act: () => Promise<unknown>): Hook {
  return ({ number, when }) => (number === callNumber && when === "before" ? act().then(() => undefined) : undefined);
}

async function callNames(
  arrange: () => Promise<World>,
  operate: (process: Process, world: World) => Promise<unknown>,
): Promise<readonly string[]> {
  const world = await arrange();
  const process = world.start();
  await process.attempt(() => operate(process, world));
  return process.calls.names;
}

/** A world without sessions, images and rows. */
export async function emptyWorld(): Promise<World> {
  return createWorld();
}

import { failAt, type Hook, stopAt } from "./calls.ts";
import { createWorld, type Process, type World } from "./world.ts";

/** One way in which an operation does not get to its end. */
export interface Interruption {
  /** For messages: which call, and what happened there. */
  name: string;
  hook: Hook;
}

/**
 * Every interruption of an operation: the process stops before or after each of its calls, or the call fails before its
 * effect, or its answer is lost after it. `arrange` makes the world that the operation runs in, the same each time.
 */
export async function interruptionsOf(
  arrange: () => Promise<World>,
  operate: (process: Process, world: World) => Promise<unknown>,
): Promise<Interruption[]> {
  const world = await arrange();
  const process = world.start();
  await process.attempt(() => operate(process, world));
  return process.calls.names.flatMap((call, index) =>
    (["before", "after"] as const).flatMap((when) => [
      { name: `stopped ${when} call ${index + 1}, ${call}`, hook: stopAt(index + 1, when) },
      { name: `call ${index + 1}, ${call}, fails ${when} its effect`, hook: failAt(index + 1, when) },
    ]),
  );
}

/** A world in which nothing has happened yet. */
export async function emptyWorld(): Promise<World> {
  return createWorld();
}

/** Does `act` to its end before the call number `turn`: another process that gets in between. */
export function interleave(turn: number, act: () => Promise<unknown>): Hook {
  return ({ number, when }) => (number === turn && when === "before" ? act().then(() => undefined) : undefined);
}

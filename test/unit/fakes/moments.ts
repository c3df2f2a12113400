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

/**
 * The process's ports, with `act` done to its end before the call number `turn`: another process that gets in between.
 * Calls are counted over all ports, from 1.
 */
export function interleave(deps: Process["deps"], turn: number, act: () => Promise<unknown>): Process["deps"] {
  let count = 0;
  const guard = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get(target, name, receiver) {
        const member: unknown = Reflect.get(target, name, receiver);
        if (typeof member !== "function" || isPure.has(String(name))) return member;
        return async (...args: unknown[]) => {
          count += 1;
          if (count === turn) await act();
          return Reflect.apply(member, target, args);
        };
      },
    });
  return {
    ...deps,
    face: guard(deps.face),
    sessions: guard(deps.sessions),
    devices: guard(deps.devices),
    images: guard(deps.images),
  };
}

/** Members that make no call. */
const isPure = new Set(["rowKey", "createdOn", "expiryPartition", "recall"]);

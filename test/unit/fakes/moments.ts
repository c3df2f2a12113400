import { test } from "node:test";
import { failAt, type Hook, type Outcome, stopAt } from "./calls.ts";
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
  const calls = withoutEqualQueries(await callNames(arrange, operate));
  return calls.flatMap(({ number, call }) =>
    (["before", "after"] as const).flatMap((when) => [
      { name: `stopped ${when} call ${number}, ${call}`, hook: stopAt(number, when) },
      { name: `call ${number}, ${call}, fails ${when} its effect`, hook: failAt(number, when) },
    ]),
  );
}

/** A point at which another process acts during an operation. */
export interface Interleaving {
  /** Position of the call, from 1. */
  number: number;
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
  const calls = withoutEqualQueries(await callNames(arrange, operate));
  return calls.map(({ number, call }) => ({
    number,
    name: `before call ${number}, ${call}`,
    run: (act) => interleave(number, act),
  }));
}

/** Of a series of queries of one table, as the timer sends for its shards, the first and the last: nothing happens between them. */
function withoutEqualQueries(names: readonly string[]): { number: number; call: string }[] {
  return names
    .map((call, index) => ({ number: index + 1, call }))
    .filter(({ number, call }) => !call.endsWith(".query") || names[number - 2] !== call || names[number] !== call);
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

/** An operation of a process. */
type Operation<T> = (process: Process, world: World) => Promise<T>;

/**
 * Tests every interruption of an operation.
 *
 * @param expected follows the interruption in the title.
 * @param check gets the world that the interrupted process leaves, the outcome of the operation and the interruption.
 */
export async function testInterruptions<T>(
  expected: string,
  arrange: () => Promise<World>,
  operate: Operation<T>,
  check: (world: World, outcome: Outcome<T>, interruption: string) => Promise<void>,
): Promise<void> {
  for (const { name, hook } of await interruptionsOf(arrange, operate)) {
    test(`${name} -> ${expected}`, async () => {
      const world = await arrange();
      const process = world.start(hook);
      await check(world, await process.attempt(() => operate(process, world)), name);
    });
  }
}

/**
 * Tests every interleaving of an operation with `act` of another process.
 *
 * @param title has `{}` in place of the call before which the other process acts.
 * @param check gets the world after both processes, the outcome of the operation and the call.
 */
export async function testInterleavings<T>(
  title: string,
  arrange: () => Promise<World>,
  operate: Operation<T>,
  act: (world: World) => Promise<unknown>,
  check: (world: World, outcome: Outcome<T>, call: string) => Promise<void> | void,
): Promise<void> {
  for (const { name, run } of await interleavingsOf(arrange, operate)) {
    test(title.replace("{}", name), async () => {
      const world = await arrange();
      const process = world.start(run(() => act(world)));
      await check(world, await process.attempt(() => operate(process, world)), name);
    });
  }
}

/** A world without sessions, images and rows. */
export async function emptyWorld(): Promise<World> {
  return createWorld();
}

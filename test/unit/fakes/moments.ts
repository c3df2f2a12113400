import assert from "node:assert/strict";
import { test } from "node:test";
import { failAt, type Hook, type Outcome, stopAt } from "./calls.ts";
import { createWorld, type Process, type World } from "./world.ts";

/** An operation of a process. */
type Operation<T> = (process: Process, world: World) => Promise<T>;

/** A world for an operation, each time with the same contents. */
type Arrange = () => Promise<World>;

/** Names of calls that only read. */
const reads = /\.(get|query|facts|list|count|probe|read)$/;

/** A world without sessions, images and rows. */
export const emptyWorld: Arrange = async () => createWorld();

/**
 * Tests every interruption of an operation: for each of its calls, the process stops before or after it, the call fails
 * before its effect, or its response is lost.
 *
 * @param expected follows the interruption in the title.
 * @param check gets the world that the interrupted process leaves, and the outcome of the operation.
 */
export async function testInterruptions<T>(
  expected: string,
  arrange: Arrange,
  operate: Operation<T>,
  check: (world: World, outcome: Outcome<T>) => Promise<void>,
): Promise<void> {
  for (const { number, call } of await callsOf(arrange, operate)) {
    // A read has no effect, so nothing differs between the moments before and after it.
    for (const when of reads.test(call) ? (["before"] as const) : (["before", "after"] as const)) {
      for (const [name, hook] of [
        [`stopped ${when} call ${number}, ${call}`, stopAt(number, when)],
        [`call ${number}, ${call}, fails ${when} its effect`, failAt(number, when)],
      ] as const) {
        test(`${name} -> ${expected}`, async () => {
          const world = await arrange();
          const process = world.start(hook);
          await check(world, await process.attempt(() => operate(process, world)));
        });
      }
    }
  }
}

/**
 * Tests every interleaving of an operation with `act` of another process, which runs to its end before one call.
 *
 * @param title has `{}` in place of the call before which the other process acts.
 * @param check gets the world after both processes, the outcome of the operation, the result of `act` and the call.
 */
export async function testInterleavings<T, A>(
  title: string,
  arrange: Arrange,
  operate: Operation<T>,
  act: (world: World) => Promise<A>,
  check: (world: World, outcome: Outcome<T>, acted: A, call: string) => Promise<void> | void,
): Promise<void> {
  for (const { number, name } of await interleavingsOf(arrange, operate)) {
    test(title.replace("{}", name), async () => {
      const world = await arrange();
      let acted: Promise<A> | undefined;
      const process = world.start(interleave(number, () => (acted = act(world))));
      const outcome = await process.attempt(() => operate(process, world));
      await check(world, outcome, await (acted ?? assert.fail("the call was not made")), name);
    });
  }
}

/** The calls of an operation before which another process can act: their positions, from 1, and parts of titles. */
export async function interleavingsOf(arrange: Arrange, operate: Operation<unknown>) {
  const calls = await callsOf(arrange, operate);
  return calls.map(({ number, call }) => ({ number, name: `before call ${number}, ${call}` }));
}

/** Runs `act` of another process to its end before the call of this number. */
export function interleave(callNumber: number, act: () => Promise<unknown>): Hook {
  return ({ number, when }) => (number === callNumber && when === "before" ? act().then(() => undefined) : undefined);
}

/**
 * The calls of an operation. Of a series of queries of one table, as the timer sends for its shards, the first and the last:
 * nothing happens between them.
 */
async function callsOf(arrange: Arrange, operate: Operation<unknown>): Promise<{ number: number; call: string }[]> {
  const world = await arrange();
  const process = world.start();
  await process.attempt(() => operate(process, world));
  const { names } = process.calls;
  return names
    .map((call, index) => ({ number: index + 1, call }))
    .filter(({ number, call }) => !call.endsWith(".query") || names[number - 2] !== call || names[number] !== call);
}

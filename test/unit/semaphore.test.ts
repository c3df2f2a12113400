import assert from "node:assert/strict";
import { test } from "node:test";
import { createSemaphore } from "../../src/semaphore.ts";

test("limits concurrent work; the lowest rank is next, first come first served among equals", async () => {
  const semaphore = createSemaphore(2);
  const order: string[] = [];
  const ask = (name: string, rank?: string) => semaphore.acquire(rank).then(() => order.push(name));
  await Promise.all([ask("first", "9"), ask("second")]);
  const waiting = [ask("b", "2"), ask("c", "3"), ask("a", "1"), ask("b too", "2"), ask("without rank")];
  await new Promise(setImmediate);
  assert.deepEqual(order, ["first", "second"]);
  for (let back = 0; back < 5; back += 1) semaphore.release();
  await Promise.all(waiting);
  assert.deepEqual(order.slice(2), ["without rank", "a", "b", "b too", "c"]);
  semaphore.release();
  semaphore.release();
  await ask("after all");
  assert.equal(order.at(-1), "after all");
});

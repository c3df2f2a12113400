import assert from "node:assert/strict";
import { test } from "node:test";
import { createSemaphore } from "../../src/semaphore.ts";

test("createSemaphore of 2 -> two acquired at once; then lowest rank first, in order of the calls for equal ranks", async () => {
  const semaphore = createSemaphore(2);
  const order: string[] = [];
  const acquire = (name: string, rank?: string) => semaphore.acquire(rank).then(() => order.push(name));
  await Promise.all([acquire("first", "9"), acquire("second")]);
  const waiting = [
    acquire("b", "2"),
    acquire("c", "3"),
    acquire("a", "1"),
    acquire("second b", "2"),
    acquire("unranked"),
  ];
  await new Promise(setImmediate);
  assert.deepEqual(order, ["first", "second"]);
  for (let count = 0; count < 5; count += 1) semaphore.release();
  await Promise.all(waiting);
  assert.deepEqual(order.slice(2), ["unranked", "a", "b", "second b", "c"]);
  semaphore.release();
  semaphore.release();
  await acquire("last");
  assert.equal(order.at(-1), "last");
});

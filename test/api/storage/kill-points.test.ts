import assert from "node:assert/strict";
import { test } from "node:test";
import { connectStorage, type Table } from "../../../src/storage/azure/table.ts";
import { createBookmarks } from "../../../src/storage/stores/bookmarks.ts";
import { createImages } from "../../../src/storage/stores/images.ts";
import type { Calls, Hook, Moment } from "../../unit/fakes/calls.ts";
import { callsOf, expire, interruptAndExpire, scenarios, userScenarios } from "../../unit/fakes/kill-points.ts";
import { createStage, type Stage } from "../../unit/fakes/world.ts";
import { viewStorage } from "../support/storage-view.ts";
import { collect, sharedAzurite } from "./storage-rig.ts";

const azurite = await sharedAzurite();
const view = viewStorage(azurite.connectionString);

/** Numbers of the calls of the latest process that removed nothing. A kill after one equals one before it. */
let idle = new Set<number>();

/** Processes on Azurite, with their own Face service and clock. */
function openStage(): Stage {
  return createStage((calls, now) => {
    idle = new Set();
    const connection = connectStorage(azurite);
    const { sessions, sessionIds, expiry, users, outcomes } = connection;
    const images = createImages(connection, { now });
    const watch = <Port extends object>(name: string, port: Port) =>
      new Proxy(port, {
        get: (store, verb) => {
          const method = Reflect.get(store, verb) as (...args: unknown[]) => Promise<unknown>;
          return (...args: unknown[]) => run(calls, `${name}.${String(verb)}`, () => method(...args));
        },
      });
    return {
      tables: {
        sessions: watchTable(sessions, calls),
        sessionIds: watchTable(sessionIds, calls),
        expiry: watchTable(expiry, calls),
        users: watchTable(users, calls),
        outcomes: watchTable(outcomes, calls),
      },
      images: watch("images", images),
      bookmarks: watch("bookmarks", createBookmarks(connection)),
    };
  });
}

function run<T>(calls: Calls, name: string, effect: () => Promise<T>): Promise<T> {
  return calls.run(name, async () => {
    const number = calls.names.length;
    const result = await effect();
    if (result === false || result === "missing") idle.add(number);
    return result;
  });
}

function watchTable(table: Table, calls: Calls): Table {
  const call = <T>(verb: string, effect: () => Promise<T>) => run(calls, `${table.name}.${verb}`, effect);
  return {
    name: table.name,
    get: (...key) => call("get", () => table.get(...key)),
    put: (entity) => call("put", () => table.put(entity)),
    merge: (entity) => call("merge", () => table.merge(entity)),
    remove: (...row) => call("remove", () => table.remove(...row)),
    transact: (actions) => call("transact", () => table.transact(actions)),
    async *query(query) {
      yield* await call("query", () => collect(table.query(query)));
    },
  };
}

const nothing = "[[[],[],[],[],[]],[]]";

/** Everything stored, without the time up to which the lists across devices are complete. */
async function everything(): Promise<string> {
  await connectStorage(azurite).outcomes.remove("complete", "complete");
  return view.everything();
}

/** A kill after a read equals one before it. */
const isWrite = ({ name, number }: Pick<Moment, "name" | "number">) =>
  !/\.(get|query|facts|list|bookmark)$/.test(name) && !idle.has(number);

/** Stops a process after this many writes. */
function stopAfter(writes: number): Hook {
  let left = writes;
  return (moment) => {
    if (moment.when === "after" && isWrite(moment)) left -= 1;
    return left === 0 ? "stop" : undefined;
  };
}

// Runs of the timer make many requests; the unit test of this name interrupts them.
for (const scenario of [...scenarios, ...userScenarios.filter(({ isTimer }) => !isTimer)]) {
  test(`${scenario.what}, killed after any write to storage or to the service: the timer removes the rest`, async () => {
    // Includes the run without a kill.
    const stage = openStage();
    const names = await callsOf(scenario, stage);
    const writes = names.filter((name, index) => isWrite({ name, number: index + 1 }));
    await expire(stage);
    assert.equal(await everything(), nothing, "undisturbed");
    for (const [index, name] of writes.entries()) {
      await interruptAndExpire(scenario, openStage(), stopAfter(index + 1));
      assert.equal(await everything(), nothing, `after write ${index + 1}, ${name}`);
    }
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectStorage, type Table } from "../../../src/storage/azure/table.ts";
import { createBookmarks } from "../../../src/storage/stores/bookmarks.ts";
import { createImages } from "../../../src/storage/stores/images.ts";
import { type Calls, stopAt } from "../../unit/fakes/calls.ts";
import { callsOf, expire, interruptAndExpire, scenarios, userScenarios } from "../../unit/fakes/kill-points.ts";
import { createStage, type Stage } from "../../unit/fakes/world.ts";
import { viewStorage } from "../support/storage-view.ts";
import { collect, sharedAzurite } from "./storage-rig.ts";

const azurite = await sharedAzurite();
const view = viewStorage(azurite.connectionString);

/** Processes on Azurite, with their own Face service and clock. */
function openStage(): Stage {
  return createStage((calls, now) => {
    const connection = connectStorage(azurite);
    const { sessions, sessionIds, expiry, users, outcomes } = connection;
    const images = createImages(connection, { now });
    const watch = <Port extends object>(name: string, port: Port) =>
      new Proxy(port, {
        get: (store, verb) => {
          const method = Reflect.get(store, verb) as (...args: unknown[]) => Promise<unknown>;
          return (...args: unknown[]) => calls.run(`${name}.${String(verb)}`, () => method(...args));
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

function watchTable(table: Table, calls: Calls): Table {
  const call = <T>(verb: string, effect: () => Promise<T>) => calls.run(`${table.name}.${verb}`, effect);
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
const isRead = (name: string) => /\.(get|query|facts|list|bookmark)$/.test(name);

// Runs of the timer make many requests; the unit test of this name interrupts them.
for (const scenario of [...scenarios, ...userScenarios.filter(({ isTimer }) => !isTimer)]) {
  test(`${scenario.what}, killed after any write to storage or to the service: the timer removes the rest`, async () => {
    // Includes the run without a kill.
    const stage = openStage();
    const names = await callsOf(scenario, stage);
    await expire(stage);
    assert.equal(await everything(), nothing, "undisturbed");
    for (const [index, name] of names.entries()) {
      if (isRead(name)) continue;
      await interruptAndExpire(scenario, openStage(), stopAt(index + 1, "after"));
      assert.equal(await everything(), nothing, `after call ${index + 1}, ${name}`);
    }
  });
}

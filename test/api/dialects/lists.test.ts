import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import type { SessionKind } from "../../../src/face/model.ts";
import type { SessionRecord } from "../../../src/liveness/model/session.ts";
import { connectStorage } from "../../../src/storage/azure/table.ts";
import { writePointer } from "../../../src/storage/rows/rows.ts";
import { clientKey, principal } from "../../unit/fakes/principals.ts";
import {
  createSessionStore,
  newRecord,
  reservation,
  reserved,
  type SessionStore,
  someDevice,
} from "../storage/storage-rig.ts";
import { assertError, createAppClient, playAttempt } from "../support/app-client.ts";
import { inParallel } from "../support/in-parallel.ts";
import { openStack } from "../support/open-stack.ts";
import { type Dialect, dialectOf, readEntries, readList } from "./dialects.ts";

const hour = 3_600_000;
const previews = [dialectOf("v1.1-preview.1"), dialectOf("v1.2-preview.1")];

describe("a list of 2,500 sessions", async () => {
  const { stack, app, control } = await openStack();
  const connection = connectStorage(stack.azurite);
  const sessions = createSessionStore(connection);
  /** Ids of the liveness sessions, ascending. */
  let ids: string[];
  before(async () => {
    await seed(sessions, 30, { kind: "livenessWithVerify" });
    // Pointers only, because a list reads nothing else.
    ids = Array.from({ length: 2500 }, () => randomUUID()).sort();
    await inParallel(ids.length, 48, async (number) => {
      const record = newRecord(reservation(), { sessionId: ids[number] ?? "" });
      await connection.sessionIds.put(writePointer("p", "s_1", record));
    });
  });

  const list = async (dialect: Dialect, query = "", kind: SessionKind = "liveness") => {
    const answer = await app.send(`${dialect.sessions(kind)}${query}`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return readList(answer.body).map(({ id }) => id);
  };
  const listAll = async (dialect: Dialect, top: number, kind?: SessionKind) => {
    const seen: string[] = [];
    for (let page = await list(dialect, `?top=${top}`, kind); page.length > 0; ) {
      seen.push(...page);
      page = await list(dialect, `?start=${seen.at(-1)}&top=${top}`, kind);
    }
    return seen;
  };

  test("pages of 1000 by default, ascending, each session once", async () => {
    for (const dialect of previews) {
      assert.deepEqual(await list(dialect), ids.slice(0, 1000));
      assert.deepEqual(await list(dialect, `?start=${ids[999]}`), ids.slice(1000, 2000));
      assert.deepEqual(await list(dialect, `?start=${ids[1999]}`), ids.slice(2000));
      assert.deepEqual(await list(dialect, `?start=${ids[2499]}`), []);
    }
    assert.deepEqual(await listAll(dialectOf("v1.2-preview.1"), 700), ids);
    assert.equal((await listAll(dialectOf("v1.1-preview.1"), 7, "livenessWithVerify")).length, 30);
  });

  test("starts after `start`, which need not be the id of a session", async () => {
    const [dialect] = previews;
    assert.ok(dialect);
    assert.deepEqual(await list(dialect, `?start=${ids[4]}&top=3`), ids.slice(5, 8));
    assert.deepEqual(await list(dialect, "?start=&top=1"), ids.slice(0, 1));
    assert.deepEqual(await list(dialect, "?start=g"), []);
    assert.deepEqual(await list(dialect, `?start=${"0".repeat(64)}&top=1`), ids.slice(0, 1));
    for (const start of ["'", "%27%20or%20kind%20ne%20%27", "%00", "%0A", "%F0%9F%98%80", "%2F%5C%23%3F", "%FF"]) {
      const answer = await app.send(`${dialect.sessions("liveness")}?start=${start}&top=2`);
      assert.equal(answer.status, 200, `${start}: ${JSON.stringify(answer.body)}`);
      assert.ok(readList(answer.body).every(({ id }) => id > decodeURIComponent(start.replace("%FF", "%EF%BF%BD"))));
    }
  });

  test("invalid bounds -> 400", async () => {
    for (const dialect of previews) {
      for (const query of ["?top=1001", `/${ids[0]}/audit?top=1001`, `/${ids[0]}/audit?start=x`]) {
        assertError(await app.send(`${dialect.sessions("liveness")}${query}`), 400, "BadArgument");
      }
    }
  });

  test("skips deleted, pruned and expired sessions, and fills the page", async () => {
    const [dialect] = previews;
    assert.ok(dialect);
    const kind = "livenessWithVerify";
    const known = await list(dialect, "", kind);
    const [pruned = "", kept = ""] = known;
    await sessions.hide(pruned, new Date().toISOString());
    assert.deepEqual(await list(dialect, "?top=1", kind), [kept]);
    const now = Date.now();
    const [almost = ""] = await seed(sessions, 1, { kind, createdOn: new Date(now - 47 * hour).toISOString() });
    const [over = ""] = await seed(sessions, 1, { kind, createdOn: new Date(now - 48 * hour).toISOString() });
    const seen = await list(dialect, "", kind);
    assert.deepEqual([seen.includes(almost), seen.includes(over), seen.includes(pruned)], [true, false, false]);

    await control("/clock", { advanceSeconds: 3600 });
    assert.equal((await list(dialect, "", kind)).includes(almost), false);
    await control("/clock", { advanceSeconds: 47 * 3600 });
    assert.deepEqual(await list(dialect), []);
    for (const id of [kept, almost, over, pruned]) {
      for (const path of [id, `${id}/audit`]) {
        assertError(await app.send(`${dialect.sessions(kind)}/${path}`), 404, "SessionNotFound");
      }
    }
  });
});

describe("lists and audit trails of several callers", async () => {
  const { stack } = await openStack({ env: clientKey.settings });

  test("a principal gets its own, a trusted service all, another principal none", async () => {
    const alice = createAppClient(stack.url, principal("alice"));
    const bob = createAppClient(stack.url, principal("bob"));
    const service = createAppClient(stack.url, clientKey.headers);
    const opened = new Map<typeof alice, string[]>();
    for (const app of [alice, bob, service]) {
      const own = [await app.openSession(), await app.openSession()];
      for (const session of own) await playAttempt(stack.emulator, session, { scenario: "realface" });
      opened.set(app, own.map(({ sessionId }) => sessionId).sort());
    }
    const all = [...opened.values()].flat().sort();
    const stranger = createAppClient(stack.url, principal("mallory"));
    for (const dialect of previews) {
      for (const app of [alice, bob, service, stranger]) {
        const visible = app === service ? all : (opened.get(app) ?? []);
        const listed = readList((await app.send(dialect.sessions("liveness"))).body).map(({ id }) => id);
        assert.deepEqual(listed, visible);
        const second = await app.send(`${dialect.sessions("liveness")}?top=1&start=${visible[0] ?? ""}`);
        assert.deepEqual(
          readList(second.body).map(({ id }) => id),
          visible.slice(1, 2),
        );
        for (const id of all) {
          const audit = await app.send(`${dialect.sessions("liveness")}/${id}/audit`);
          if (visible.includes(id)) assert.equal(readEntries(audit.body).length, 1);
          else assertError(audit, 404, "SessionNotFound");
        }
      }
    }
  });
});

/** Writes sessions, each of a new device. Resolves with their ids. */
async function seed(sessions: SessionStore, count: number, fields: Partial<SessionRecord>): Promise<string[]> {
  const ids: string[] = [];
  await inParallel(count, 48, async () => {
    const request = reservation({ deviceCorrelationId: someDevice() });
    const place = await reserved(sessions, request);
    const start = Date.parse(fields.createdOn ?? new Date().toISOString());
    const expiresOn = new Date(start + 48 * hour).toISOString();
    const record = newRecord(request, { expiresOn, ...fields });
    assert.ok(await sessions.commit(place, record));
    ids.push(record.sessionId);
  });
  return ids;
}

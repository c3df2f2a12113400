import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessDenied } from "../../../src/api-errors.ts";
import { faceCredentialsRejected } from "../../../src/face/errors.ts";
import { call, createApp } from "../fakes/app.ts";
import { failOn } from "../fakes/calls.ts";
import { runMaintenance } from "../fakes/maintenance.ts";
import { seedWorld } from "../fakes/seed.ts";
import { createWorld, type Process } from "../fakes/world.ts";

/** Reads the readiness, without authentication, of an app of a process. */
function open(process: Process) {
  const app = createApp(process, {});
  return (query = "") => call({ app }, "GET", "/api/health/ready", { query });
}
const failed = (target: string, code = "Failed") => ({ code, message: "Unreachable, or access denied.", target });

test("health requires no authentication and calls no service", async () => {
  const process = createWorld().start();
  const answer = await call({ app: createApp(process, {}) }, "GET", "/api/health");
  assert.deepEqual([answer.status, answer.json], [200, { status: "alive" }]);
  assert.deepEqual(process.calls.names, []);
});

describe("readiness", () => {
  test("requires no authentication: 200 when all dependencies respond", async () => {
    const process = createWorld().start();
    const answer = await open(process)();
    assert.deepEqual([answer.status, answer.json], [200, { status: "ready" }]);
    const names = [...new Set(process.calls.names)].sort();
    assert.deepEqual(names, ["expiry.query", "face.probe", "images.probe", "sessions.get"]);
  });

  const parts = { "sessions.get": "tables", "images.probe": "blobs", "face.probe": "face" };
  for (const [name, part] of Object.entries(parts)) {
    test(`names the failed dependency ${part}; only the log contains the error`, async () => {
      const answer = await open(createWorld().start(failOn(name)))();
      const error = { code: "NotReady", message: `Unavailable: ${part}.`, details: [failed(part)] };
      assert.deepEqual([answer.status, answer.json], [503, { error }]);
      assert.equal(answer.headers.get("retry-after"), "30");
      const warning = answer.lines.find(({ level }) => level === "warning");
      assert.deepEqual(warning?.fields, { event: "NotReady", part, cause: "injected" });
    });

    test(`caches a failure of ${part} no longer than a success`, async () => {
      const world = createWorld();
      let isDown = true;
      const read = open(world.start((moment) => (isDown && moment.name === name ? new Error("down") : undefined)));
      const status = async () => (await read()).status;
      assert.equal(await status(), 503);
      isDown = false;
      world.advance({ seconds: 9 });
      assert.equal(await status(), 503);
      world.advance({ seconds: part === "face" ? 21 : 1 });
      assert.equal(await status(), 200);
    });
  }

  test("names all failed dependencies, with the service's code if present", async () => {
    const denied = faceCredentialsRejected(accessDenied());
    const process = createWorld().start(({ name }) => (name === "face.probe" ? denied : new Error("down")));
    const details = [failed("tables"), failed("blobs"), failed("face", "FaceCredentialsRejected")];
    const error = { code: "NotReady", message: "Unavailable: tables, blobs, face.", details };
    assert.deepEqual((await open(process)()).json, { error });
  });

  test("caches results: 10 seconds for storage, 30 for the Face service", async () => {
    const { world } = await seedWorld();
    world.advance({ minutes: 30 });
    const process = world.start();
    const read = open(process);
    const counts = () => {
      const calls = (name: string) => process.calls.names.filter((called) => called === name).length;
      return [calls("face.probe"), calls("sessions.get"), calls("images.probe"), calls("expiry.query")];
    };
    const sendAll = () =>
      Promise.all(
        ["", "?", "?refresh=true", "?x=1&x=2", "?$top=1", "?\u2028"].map(async (query) => {
          const { status, json } = await read(query);
          assert.equal(status, 200);
          assert.partialDeepStrictEqual(json, { status: "degraded" });
        }),
      );
    await sendAll();
    await sendAll();
    world.advance({ seconds: 9 });
    await sendAll();
    assert.deepEqual(counts(), [1, 1, 1, 16]);
    for (const [seconds, ...expected] of [
      [1, 1, 2, 2, 32],
      [10, 1, 3, 3, 48],
      [10, 2, 4, 4, 64],
    ] as const) {
      world.advance({ seconds });
      await sendAll();
      assert.deepEqual(counts(), expected);
    }
  });

  test("shares a check in progress among concurrent requests", async () => {
    const world = createWorld();
    const { promise: responded, resolve: respond } = Promise.withResolvers<undefined>();
    const process = world.start(({ name, when }) =>
      name === "sessions.get" && when === "before" ? responded : undefined,
    );
    const read = open(process);
    const first = read();
    world.advance({ minutes: 5 });
    const second = read();
    respond(undefined);
    assert.deepEqual((await first).json, (await second).json);
    await read();
    const names = process.calls.names.filter((name) => /probe|get/.test(name)).sort();
    assert.deepEqual(names, ["face.probe", "images.probe", "sessions.get"]);
  });

  test("is degraded while a session has been due for 15 minutes; checked at most once a minute", async () => {
    const { world } = await seedWorld();
    const process = world.start();
    const readAnswer = open(process);
    const read = async () => (await readAnswer()).json;
    const checks = () => process.calls.names.filter((name) => name === "expiry.query").length / 16;

    world.advance({ minutes: 12 + 15, seconds: -1 });
    assert.deepEqual(await read(), { status: "ready" });
    world.advance({ seconds: 50 });
    assert.deepEqual([await read(), checks()], [{ status: "ready" }, 1]);
    world.advance({ seconds: 10 });
    const overdueSince = "2026-03-01T12:12:00.000Z";
    assert.deepEqual(await read(), { status: "degraded", degraded: ["timer"], overdueSince });
    await runMaintenance(world);
    world.advance({ seconds: 10 });
    assert.deepEqual(await read(), { status: "ready" });
  });

  test("is not degraded if the due sessions cannot be read", async () => {
    assert.deepEqual((await open(createWorld().start(failOn("expiry.query")))()).json, { status: "ready" });
  });
});

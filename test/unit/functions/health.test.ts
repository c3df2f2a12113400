import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accessDenied } from "../../../src/api-errors.ts";
import { faceCredentialsRejected } from "../../../src/face/errors.ts";
import { drain } from "../../../src/liveness/retain/maintain.ts";
import { call, createApp } from "../fakes/app.ts";
import { failOn } from "../fakes/calls.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld } from "../fakes/world.ts";

describe("health", () => {
  test("is told to everyone, and asks nobody", async () => {
    const process = createWorld().start();
    const answer = await call({ app: createApp(process, {}) }, "GET", "/api/health");
    assert.deepEqual([answer.status, answer.json], [200, { status: "alive" }]);
    assert.deepEqual(process.calls.names, []);
  });
});

describe("readiness", () => {
  test("is told to everyone when all that is needed answers", async () => {
    const process = createWorld().start();
    const answer = await call({ app: createApp(process, {}) }, "GET", "/api/health/ready");
    assert.deepEqual([answer.status, answer.json], [200, { status: "ready" }]);
    assert.deepEqual([...new Set(process.calls.names)].sort(), [
      "expiry.query",
      "face.probe",
      "images.probe",
      "sessions.get",
    ]);
  });

  test("names what is out of reach, and why only in the log", async () => {
    for (const [name, part] of [
      ["sessions.get", "tables"],
      ["images.probe", "blobs"],
      ["face.probe", "face"],
    ] as const) {
      const answer = await call({ app: createApp(createWorld().start(failOn(name)), {}) }, "GET", "/api/health/ready");
      assert.equal(answer.status, 503);
      assert.deepEqual(answer.json, {
        error: {
          code: "NotReady",
          message: `Out of reach or refused: ${part}.`,
          details: [{ code: "Failed", message: "Unreachable, or access denied.", target: part }],
        },
      });
      assert.equal(answer.headers.get("retry-after"), "30");
      const warning = answer.lines.find(({ level }) => level === "warning");
      assert.deepEqual(warning?.fields, { event: "NotReady", part, cause: "injected" });
    }
  });

  test("names everything that is out of reach, with the service's code where it has one", async () => {
    const denied = faceCredentialsRejected(accessDenied());
    const process = createWorld().start(({ name }) => (name === "face.probe" ? denied : new Error("down")));
    const answer = await call({ app: createApp(process, {}) }, "GET", "/api/health/ready");
    assert.match(answer.text, /"Out of reach or refused: tables, blobs, face\."/);
    assert.match(answer.text, /"code":"FaceCredentialsRejected"/);
    assert.equal(answer.text.includes("down"), false);
  });

  test("asks storage at most every ten seconds and the service every thirty, however often it is asked itself", async () => {
    const world = createWorld();
    await seedSession(world);
    world.advance({ minutes: 30 });
    const process = world.start();
    const app = createApp(process, {});
    const counts = () => {
      const asked = (name: string) => process.calls.names.filter((called) => called === name).length;
      return [asked("face.probe"), asked("sessions.get"), asked("images.probe"), asked("expiry.query")];
    };
    const askAll = () =>
      Promise.all(
        ["", "?", "?refresh=true", "?x=1&x=2", "?$top=1", "?\u2028"].map(async (query) => {
          const { status, text } = await call({ app }, "GET", "/api/health/ready", { query });
          assert.deepEqual([status, JSON.parse(text).status], [200, "degraded"]);
        }),
      );
    await askAll();
    await askAll();
    world.advance({ seconds: 9 });
    await askAll();
    assert.deepEqual(counts(), [1, 1, 1, 16]);
    for (const [seconds, ...expected] of [
      [1, 1, 2, 2, 32],
      [10, 1, 3, 3, 48],
      [10, 2, 4, 4, 64],
    ] as const) {
      world.advance({ seconds });
      await askAll();
      assert.deepEqual(counts(), expected);
    }
  });

  test("asks one question at a time, however long it takes", async () => {
    const world = createWorld();
    const { promise: answered, resolve: answer } = Promise.withResolvers<undefined>();
    const process = world.start(({ name, when }) =>
      name === "sessions.get" && when === "before" ? answered : undefined,
    );
    const app = createApp(process, {});
    const first = call({ app }, "GET", "/api/health/ready");
    world.advance({ minutes: 5 });
    const second = call({ app }, "GET", "/api/health/ready");
    answer(undefined);
    assert.deepEqual((await first).json, (await second).json);
    await call({ app }, "GET", "/api/health/ready");
    assert.deepEqual(process.calls.names.filter((name) => /probe|get/.test(name)).sort(), [
      "face.probe",
      "images.probe",
      "sessions.get",
    ]);
  });

  test("is degraded while something has been due for long, and asks after that once a minute at most", async () => {
    const world = createWorld();
    await seedSession(world);
    const process = world.start();
    const app = createApp(process, {});
    const told = async () => (await call({ app }, "GET", "/api/health/ready")).json;
    const asked = () => process.calls.names.filter((name) => name === "expiry.query").length / 16;

    world.advance({ minutes: 12 + 15, seconds: -1 });
    assert.deepEqual(await told(), { status: "ready" });
    world.advance({ seconds: 50 });
    assert.deepEqual([await told(), asked()], [{ status: "ready" }, 1]);
    world.advance({ seconds: 10 });
    const overdueSince = "2026-03-01T12:12:00.000Z";
    assert.deepEqual(await told(), { status: "degraded", degraded: ["timer"], overdueSince });
    await drain(world.start().maintenance(), world.now() + 60_000);
    world.advance({ seconds: 10 });
    assert.deepEqual(await told(), { status: "ready" });
  });

  test("is not degraded by what cannot be told", async () => {
    const app = createApp(createWorld().start(failOn("expiry.query")), {});
    assert.deepEqual((await call({ app }, "GET", "/api/health/ready")).json, { status: "ready" });
  });

  for (const [part, seconds] of [
    ["face.probe", 30],
    ["sessions.get", 10],
    ["images.probe", 10],
  ] as const) {
    test(`remembers a failure no longer than a success: ${part}`, async () => {
      const world = createWorld();
      let isDown = true;
      const app = createApp(
        world.start(({ name }) => (isDown && name === part ? new Error("down") : undefined)),
        {},
      );
      const status = async () => (await call({ app }, "GET", "/api/health/ready")).status;
      assert.equal(await status(), 503);
      isDown = false;
      world.advance({ seconds: 9 });
      assert.equal(await status(), 503);
      world.advance({ seconds: seconds - 9 });
      assert.equal(await status(), 200);
    });
  }
});

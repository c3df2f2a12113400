import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { call, createApp } from "../fakes/app.ts";
import { seedSession } from "../fakes/seed.ts";
import { createWorld } from "../fakes/world.ts";

const sessions = "/face/v1.2-preview.1/detectLiveness/singleModal/sessions";

describe("invalid paging parameters", () => {
  test("are refused without calls of storage and the Face service", async () => {
    const world = createWorld();
    const { record } = await seedSession(world, { apiVersion: "v1.2-preview.1" });
    const process = world.start();
    const app = createApp(process);
    const badPages = ["top=0", "top=1001", "top=-1", "top=1e2", "top=", "top=1&top=x"];
    const badStarts = [`start=${"a".repeat(65)}`, `start=${"%C3%A9".repeat(65)}`];
    const badEntries = ["start=x", "start=-1", "start=1.5", `start=${"1".repeat(20)}`];
    for (const [path, queries] of [
      [sessions, [...badPages, ...badStarts]],
      [`${sessions}/${record.sessionId}/audit`, [...badPages, ...badStarts, ...badEntries]],
      ["/api/devices/a-device/outcomes", ["top=0", "top=101", "top=x", "start=1&top=0"]],
    ] as const) {
      for (const query of queries) {
        const answer = await call({ app }, "GET", path, { query: `?${query}` });
        assert.equal(answer.status, 400, `${path}?${query}: ${answer.text}`);
        assert.equal(answer.headers.get("x-ms-error-code"), "BadArgument");
      }
    }
    assert.deepEqual(process.calls.names, []);
  });
});

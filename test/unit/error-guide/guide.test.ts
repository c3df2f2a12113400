import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { errorGuide } from "../../../src/error-guide/guide.ts";
import { codeSources } from "../../../src/guidance.ts";
import { reasonCodes } from "../../../src/liveness/result/decision.ts";
import { nextStep } from "../../../src/liveness/result/next-action.ts";
import { missing, readDocument } from "../documents.ts";
import { call, createApp } from "../fakes/app.ts";
import { newRecord } from "../fakes/seed.ts";
import { createWorld, startOfTime } from "../fakes/world.ts";

const codesOf = (source: string) => errorGuide.filter((entry) => entry.source === source).map(({ code }) => code);

describe("the guide to error codes", () => {
  test("has each code of a source once, in order", () => {
    for (const source of codeSources) {
      const codes = codesOf(source);
      assert.deepEqual(codes, [...new Set(codes)].sort());
      for (const code of codes) assert.match(code, /^([A-Z][A-Za-z]+|429)$/);
    }
    // SDKs write the codes of devices in upper or lower case, with underscores.
    const plain = codesOf("device").map((code) => code.toLowerCase());
    assert.equal(new Set(plain).size, plain.length);
  });

  test("has sentences, and exactly one as advice", () => {
    for (const { code, meaning, advice } of errorGuide) {
      assert.match(meaning, /^[A-Z`].{10,}\.$/, code);
      assert.match(advice, /^[A-Z][^.]{10,}\.$/, code);
    }
  });

  test("has a status for errors of the app, and only for them", () => {
    for (const { code, source, status = 0 } of errorGuide) {
      assert.equal(status >= 400 && status <= 599, source === "app", code);
    }
  });

  test("has every reason of a decision, retryable where the next action is a new session", () => {
    assert.deepEqual(codesOf("decision"), [...reasonCodes].sort());
    for (const { code, retryable } of errorGuide.filter(({ source }) => source === "decision")) {
      // These two are findings of a successful attempt and cause no retry.
      if (code === "RealFace" || code === "FaceMatched") continue;
      const record = newRecord(startOfTime, { final: true, decision: "inconclusive", reasons: [code] });
      assert.equal(nextStep(record, startOfTime, 3).nextAction === "newSession", retryable, code);
    }
  });

  test("has every attempt error of the emulator", () => {
    const source = readDocument("test/local/emulator/attempts.ts");
    const messages = /const errorMessages[^{]*\{([^}]*)\}/.exec(source)?.[1] ?? "";
    const codes = [...messages.matchAll(/^ {2}(\w+):/gm)].map(([, code = ""]) => code);
    assert.ok(codes.length >= 12);
    assert.deepEqual(missing(codes, codesOf("device")), []);
  });
});

test("the list of error codes requires no authentication, calls no service, and may be cached", async () => {
  const process = createWorld().start();
  const answer = await call({ app: createApp(process, {}) }, "GET", "/api/error-codes");
  assert.deepEqual([answer.status, answer.json], [200, { value: errorGuide }]);
  assert.equal(answer.headers.get("cache-control"), "public, max-age=3600");
  assert.deepEqual(process.calls.names, []);
});

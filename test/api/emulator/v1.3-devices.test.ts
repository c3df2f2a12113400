import assert from "node:assert/strict";
import { test } from "node:test";
import { assertError, at, type OpenSession, type StandIn, startStandIn } from "./stand-in.ts";

/** What the device of a v1.3 session sends, and how often. */

const liveness = "/face/v1.3-preview.1/detectLiveness-sessions";
const user = "c7d1f0b4-0d6b-4c53-8a57-9a4b3f6e2d21";

/** The addresses of each attempt, newest first. */
async function addressesOf(emulator: StandIn, { sessionId }: OpenSession): Promise<unknown[]> {
  const { json } = await emulator.face(`${liveness}/${sessionId}`);
  const attempts = at(json, "results", "attempts");
  assert.ok(Array.isArray(attempts));
  return attempts.map((attempt) => at(attempt, "clientInformation"));
}

test("the device sends the user's id at the first attempt, and no other one later", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(liveness, {
    userCorrelationId: null,
    userCorrelationIdSetInClient: true,
    numberOfClientAttemptsAllowed: 3,
  });
  const known = async () => at((await emulator.call("/emulator/state")).json, "sessions", 0, "userCorrelationId");
  for (const userCorrelationId of [undefined, "", "x".repeat(65)]) {
    assertError(
      await emulator.attempt(session, { scenario: "realface", userCorrelationId }),
      400,
      "InvalidRequestBody",
    );
  }
  assert.equal(await known(), undefined);
  assertError(await emulator.attempt(session, { scenario: "TimedOut", userCorrelationId: user }), 400, "TimedOut");
  assert.equal(await known(), user);
  const other = await emulator.attempt(session, { scenario: "realface", userCorrelationId: "another" });
  assertError(other, 400, "InvalidRequestBody");
  assert.equal((await emulator.attempt(session, { scenario: "realface" })).status, 200);
  assert.equal((await emulator.attempt(session, { scenario: "realface", userCorrelationId: user })).status, 200);
});

for (const [path, numberOfClientAttemptsAllowed, allowed] of [
  ["/face/v1.2/detectLiveness-sessions", undefined, 3],
  [liveness, undefined, 1],
  [liveness, 1, 1],
  [liveness, 2, 2],
  [liveness, 3, 3],
] as const) {
  test(`${path}, allowed attempts ${numberOfClientAttemptsAllowed} -> the token is good for ${allowed}`, async (t) => {
    const emulator = await startStandIn(t);
    const session = await emulator.open(path, { userCorrelationId: user, numberOfClientAttemptsAllowed });
    const status = async () => at((await emulator.face(`${path}/${session.sessionId}`)).json, "status");
    for (let attempt = 1; attempt <= allowed; attempt += 1) {
      assert.equal(await status(), attempt === 1 ? "NotStarted" : "Running");
      assertError(await emulator.attempt(session, { scenario: "NoSuchError" }), 400, "NoSuchError");
    }
    assert.equal(await status(), "Failed");
    assertError(await emulator.attempt(session, { scenario: "realface" }), 403, "MaxAttemptsExceeded");
    assert.equal(await status(), "Failed");
  });
}

test("the address of the device: scripted, by default that of the request, also one that is not expected", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(liveness, {
    userCorrelationId: user,
    numberOfClientAttemptsAllowed: 3,
    expectedClientIpAddress: "2001:db8::/32",
  });
  assert.equal((await emulator.attempt(session, { scenario: "TimedOut", clientIp: "2001:db8::1" })).status, 400);
  assert.equal((await emulator.attempt(session, { scenario: "realface", clientIp: "198.51.100.7" })).status, 200);
  assert.equal((await emulator.attempt(session, { scenario: "realface" })).status, 200);
  assertError(
    await emulator.attempt(session, { scenario: "realface", clientIp: "203.0.113.0/24" }),
    400,
    "InvalidRequestBody",
  );
  assert.deepEqual(await addressesOf(emulator, session), [
    [{ ip: "127.0.0.1" }],
    [{ ip: "198.51.100.7" }],
    [{ ip: "2001:db8::1" }],
  ]);
});

test("an attempt that ends from another address than it starts from has both", async (t) => {
  const emulator = await startStandIn(t);
  const session = await emulator.open(liveness, { userCorrelationId: user });
  await emulator.attempt(session, { scenario: "running", clientIp: "203.0.113.24" });
  assert.deepEqual(await addressesOf(emulator, session), [[{ ip: "203.0.113.24" }]]);
  await emulator.attempt(session, { scenario: "realface", clientIp: "198.51.100.7" });
  assert.deepEqual(await addressesOf(emulator, session), [[{ ip: "203.0.113.24" }, { ip: "198.51.100.7" }]]);
});

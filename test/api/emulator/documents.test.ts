import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as z from "zod";
import { type Answer, asOpenSession, assertError, at, flatForm, makeImage, startStandIn } from "./stand-in.ts";

/** The emulator against the literal examples and error texts of the service's documents. */

const fixtures = new URL("../../fixtures/face-docs/", import.meta.url);
const readFixture = (name: string): unknown => JSON.parse(readFileSync(new URL(name, fixtures), "utf8"));

const examples = z
  .array(
    z.strictObject({
      document: z.string(),
      method: z.literal("POST"),
      path: z.string(),
      request: z.record(z.string(), z.unknown()),
      response: z.record(z.string(), z.unknown()),
    }),
  )
  .parse(readFixture("create-requests.json"));

const errors = z
  .strictObject({
    document: z.string(),
    bodies: z.array(z.strictObject({ status: z.int(), body: z.record(z.string(), z.unknown()) })),
    messages: z.record(z.string(), z.string()),
  })
  .parse(readFixture("errors.json"));

const fields = z
  .object({
    response: z.object({ document: z.string(), version: z.literal("v1.2"), body: z.record(z.string(), z.unknown()) }),
  })
  .parse(readFixture("fields.json"));

const path = "/face/v1.1-preview.1/detectLiveness/singleModal/sessions";
const valid = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };

for (const example of examples) {
  const breaksItsRule =
    example.request.deviceCorrelationIdSetInClient === true && "deviceCorrelationId" in example.request;

  test(`the sample request of ${example.document} -> ${breaksItsRule ? "400 by a documented rule" : 200}`, async (t) => {
    const emulator = await startStandIn(t);
    const literal = await emulator.face(example.path, { json: example.request });
    if (breaksItsRule) assertDocumentedError(literal, "InvalidDeviceCorrelationId");
    else assert.equal(literal.status, 200, literal.text);

    const { deviceCorrelationId, deviceCorrelationIdSetInClient, ...rest } = example.request;
    for (const json of [
      { ...rest, deviceCorrelationId },
      { ...rest, deviceCorrelationIdSetInClient: true },
    ]) {
      const answer = await emulator.face(example.path, { json });
      assert.equal(answer.status, 200, answer.text);
      asOpenSession(answer.json);
      assert.deepEqual(Object.keys(Object(answer.json)).sort(), Object.keys(example.response).sort());
    }
    assert.equal(typeof deviceCorrelationIdSetInClient, breaksItsRule ? "boolean" : "undefined");
  });
}

/** The code with its documented message. */
function assertDocumentedError(answer: Answer, code: string): void {
  assertError(answer, 400, code);
  assert.equal(at(answer.json, "error", "message"), errors.messages[code]);
}

for (const [code, json] of Object.entries<object>({
  InvalidRequestBody: { ...valid, unknown: 1 },
  InvalidTokenLifetime: { ...valid, authTokenTimeToLiveInSeconds: 59 },
  InvalidLivenessOperationMode: { ...valid, livenessOperationMode: "Active" },
  InvalidDeviceCorrelationId: { ...valid, deviceCorrelationIdSetInClient: true },
})) {
  test(`${code} has the documented message`, async (t) => {
    const emulator = await startStandIn(t);
    assert.ok(code in errors.messages);
    assertDocumentedError(await emulator.face(path, { json }), code);
  });
}

test("every documented error body, literally", async (t) => {
  const emulator = await startStandIn(t);
  const json = (value: unknown) => emulator.face(path, { json: value });
  const inject = async (status: number) => {
    await emulator.call("/emulator/faults", { json: { operation: "create", status } });
    return json(valid);
  };
  const answers = new Map<number, Answer>([
    [400, await json("no object")],
    [401, await emulator.call(path, { json: valid })],
    [403, await inject(403)],
    [404, await emulator.face(`${path}/b12e033e-bda7-4b83-a211-e721c661f30e`)],
    [415, await emulator.face(path, { body: "a=b", headers: { "content-type": "text/plain" } })],
    [429, await inject(429)],
  ]);
  assert.equal(errors.bodies.length, answers.size);
  for (const { status, body } of errors.bodies) {
    assert.equal(answers.get(status)?.status, status);
    assert.deepEqual(answers.get(status)?.json, body);
  }
});

/** The paths of all fields of a value. All elements of a list have the same path. */
function fieldPaths(value: unknown, prefix = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((element) => fieldPaths(element, prefix));
  if (typeof value !== "object" || value === null) return [prefix];
  return Object.entries(value).flatMap(([name, below]) => fieldPaths(below, `${prefix}/${name}`));
}

test(`a finished session has the fields of ${fields.response.document}, except the token`, async (t) => {
  const emulator = await startStandIn(t);
  const route = "/face/v1.2/detectLivenessWithVerify-sessions";
  const form = flatForm({ ...valid, enableSessionImage: "true", returnVerifyImageHash: "true" }, makeImage());
  const session = asOpenSession((await emulator.face(route, { body: form })).json);
  await emulator.attempt(session, { scenario: "FaceWithMaskDetected" });
  await emulator.attempt(session, { scenario: "realface" });
  const { json } = await emulator.face(`${route}/${session.sessionId}`);
  const expected = fieldPaths(fields.response.body).filter((name) => name !== "/authToken");
  assert.deepEqual(new Set(fieldPaths(json)), new Set(expected));
});

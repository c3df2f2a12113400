import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as z from "zod";
import {
  type Answer,
  asOpenSession,
  assertError,
  at,
  flatForm,
  makeImage,
  previewForm,
  startStandIn,
} from "./stand-in.ts";

/** The literal examples and error texts of the service's documents, sent and expected as they stand there. */

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
    requests: z.array(
      z.object({
        document: z.string(),
        version: z.string(),
        kind: z.enum(["liveness", "livenessWithVerify"]),
        fields: z.array(z.string()),
      }),
    ),
    response: z.object({ document: z.string(), version: z.literal("v1.2"), body: z.record(z.string(), z.unknown()) }),
  })
  .parse(readFixture("fields.json"));

const path = "/face/v1.1-preview.1/detectLiveness/singleModal/sessions";
const valid = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };

for (const example of examples) {
  const breaksItsRule =
    example.request.deviceCorrelationIdSetInClient === true && "deviceCorrelationId" in example.request;

  test(`the sample request of ${example.document} is ${breaksItsRule ? "refused by its own rule" : "answered"}`, async (t) => {
    const emulator = await startStandIn(t);
    const asItStands = await emulator.face(example.path, { json: example.request });
    if (breaksItsRule) assertDocumentedError(asItStands, "InvalidDeviceCorrelationId");
    else assert.equal(asItStands.status, 200, asItStands.text);

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

/** The code with the document's message for it. */
function assertDocumentedError(answer: Answer, code: string): void {
  assertError(answer, 400, code);
  assert.equal(at(answer.json, "error", "message"), errors.messages[code]);
}

for (const [code, bodies] of Object.entries<object[]>({
  InvalidRequestBody: [[], { ...valid, unknown: 1 }, { ...valid, sendResultsToClient: "yes" }],
  InvalidTokenLifetime: [59, 86_401, 60.5, "60"].map((ttl) => ({ ...valid, authTokenTimeToLiveInSeconds: ttl })),
  InvalidLivenessOperationMode: [{ deviceCorrelationId: "d" }, { ...valid, livenessOperationMode: "Active" }],
  InvalidDeviceCorrelationId: [
    { livenessOperationMode: "Passive" },
    { ...valid, deviceCorrelationId: "" },
    { ...valid, deviceCorrelationId: null },
    { ...valid, deviceCorrelationId: "x".repeat(65) },
    { ...valid, deviceCorrelationIdSetInClient: true },
  ],
})) {
  test(`${code} is answered in the document's words`, async (t) => {
    const emulator = await startStandIn(t);
    assert.ok(code in errors.messages);
    for (const json of bodies) assertDocumentedError(await emulator.face(path, { json }), code);
  });
}

test("every error body of the document can be had, literally", async (t) => {
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

/** A valid value for every documented field; the image is a part of its own. */
const values: Record<string, unknown> = {
  livenessOperationMode: "PassiveActive",
  deviceCorrelationId: "a-device",
  deviceCorrelationIdSetInClient: false,
  authTokenTimeToLiveInSeconds: 86_400,
  sendResultsToClient: true,
  enableSessionImage: true,
  livenessSingleModalModel: "2022-10-15-preview.04",
  livenessModelVersion: "2024-11-15",
  returnVerifyImageHash: true,
  verifyConfidenceThreshold: 0.6,
};

for (const { document, version, kind, fields: names } of fields.requests) {
  test(`${version} ${kind} takes every field that ${document} names`, async (t) => {
    const emulator = await startStandIn(t);
    const named = names.filter((name) => name !== "verifyImage").map((name) => [name, values[name]] as const);
    assert.ok(named.every(([, value]) => value !== undefined));
    const json = Object.fromEntries(named);
    const operation = kind === "liveness" ? "detectLiveness" : "detectLivenessWithVerify";
    const route = `/face/${version}/${operation}${version === "v1.2" ? "-sessions" : "/singleModal/sessions"}`;
    const texts = Object.fromEntries(named.map(([name, value]) => [name, String(value)]));
    const form = version === "v1.2" ? flatForm(texts, makeImage()) : previewForm(json, makeImage());
    const bodies =
      kind === "liveness" ? [{ json }] : version === "v1.2" ? [{ body: form }] : [{ json }, { body: form }];
    for (const body of bodies) {
      const answer = await emulator.face(route, body);
      assert.equal(answer.status, 200, answer.text);
    }
  });
}

/** The names of all fields below a value, as paths; elements of lists count as one. */
function fieldPaths(value: unknown, prefix = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((element) => fieldPaths(element, prefix));
  if (typeof value !== "object" || value === null) return [prefix];
  return Object.entries(value).flatMap(([name, below]) => fieldPaths(below, `${prefix}/${name}`));
}

test(`a finished session has the fields that ${fields.response.document} names, but for the token`, async (t) => {
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

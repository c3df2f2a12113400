import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { apiVersions } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { type Answer, assertError, control, createAppClient, errorOf } from "../support/app-client.ts";
import { openStack } from "../support/open-stack.ts";
import { dialectOf, dialects, isStable } from "./dialects.ts";

/** The app against the literal requests, fields and error texts of the service's documents. */

const readFixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../fixtures/face-docs/${name}`, import.meta.url), "utf8"));

const version = z.enum(apiVersions);
const samples = z
  .array(
    z.object({
      document: z.string(),
      path: z.string().startsWith("/"),
      request: z.record(z.string(), z.unknown()),
      response: z.record(z.string(), z.unknown()),
    }),
  )
  .parse(readFixture("create-requests.json"));
const errors = z
  .object({
    bodies: z.array(z.object({ status: z.int(), body: z.object({ error: z.object({ message: z.string() }) }) })),
    messages: z.record(z.string(), z.string()),
  })
  .parse(readFixture("errors.json"));
const { requests } = z
  .object({
    requests: z.array(
      z.object({
        document: z.string(),
        version,
        kind: z.enum(["liveness", "livenessWithVerify"]),
        fields: z.array(z.string()),
      }),
    ),
  })
  .parse(readFixture("fields.json"));

/** A value for each documented field. */
const values: Record<string, unknown> = {
  livenessOperationMode: "PassiveActive",
  deviceCorrelationId: "723d6d03-ef33-40a8-9682-23a1feb7bccd",
  deviceCorrelationIdSetInClient: false,
  authTokenTimeToLiveInSeconds: 60,
  sendResultsToClient: true,
  enableSessionImage: true,
  livenessSingleModalModel: "2023-12-20-preview.06",
  livenessModelVersion: "2024-11-15",
  returnVerifyImageHash: true,
  verifyConfidenceThreshold: 0.75,
};

const messageOf = (answer: Answer) => errorOf(answer).message;

for (const upstream of apiVersions) {
  describe(`the documents' requests, upstream version ${upstream}`, () => {
    let stack: Stack;
    let app: ReturnType<typeof createAppClient>;
    before(async () => {
      stack = await startStack({ env: { FACE_API_VERSION: upstream } });
      app = createAppClient(stack.url);
    });
    after(() => stack.stop());

    for (const { document, path, request, response } of samples) {
      const { deviceCorrelationId, deviceCorrelationIdSetInClient, ...rest } = request;
      const breaksItsRule = deviceCorrelationIdSetInClient === true && deviceCorrelationId !== undefined;

      test(`${document}: the literal sample${breaksItsRule ? ", which breaks a documented rule" : ""}`, async () => {
        const answer = await app.send(path.slice(1), { json: request });
        if (breaksItsRule) {
          assertError(answer, 400, "InvalidDeviceCorrelationId");
          assert.equal(messageOf(answer), errors.messages.InvalidDeviceCorrelationId);
        } else {
          assertLike(answer, response);
        }
      });

      test(`${document}: the sample with one device id`, async () => {
        const answer = await app.send(path.slice(1), { json: { ...rest, deviceCorrelationId } });
        const isRefused = isStable(upstream) && rest.sendResultsToClient === true;
        if (isRefused) assertError(answer, 400, "NotSupportedByUpstreamVersion");
        else assertLike(answer, response);
      });
    }

    for (const { document, version, kind, fields } of requests.filter(({ version }) => version === upstream)) {
      test(`${document}: every field of a ${kind} session at once`, async () => {
        const dialect = dialectOf(version);
        const body = Object.fromEntries(
          fields.filter((name) => name !== "verifyImage").map((name) => [name, values[name]]),
        );
        assert.ok(
          Object.values(body).every((value) => value !== undefined),
          `no value for one of ${fields}`,
        );
        const request = kind === "liveness" ? { json: body } : { body: dialect.form(body, makeImage()) };
        const answer = await app.send(dialect.sessions(kind), request);
        assert.equal(answer.status, 200, JSON.stringify(answer.body));
        dialect.readCreated(kind, answer.body);
      });
    }
  });
}

/** The answer has the fields and types of the sample. */
function assertLike(answer: Answer, sample: Record<string, unknown>): void {
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const body = z.record(z.string(), z.unknown()).parse(answer.body);
  const types = (value: Record<string, unknown>) =>
    Object.entries(value).map(([name, each]) => `${name}: ${typeof each}`);
  assert.deepEqual(types(body).sort(), types(sample).sort());
}

describe("the documents' errors", async () => {
  const { stack, app } = await openStack();

  const good = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };
  const wrong: [code: string, fields: object][] = [
    ["InvalidRequestBody", { unknown: 1 }],
    ["InvalidTokenLifetime", { authTokenTimeToLiveInSeconds: 59 }],
    ["InvalidLivenessOperationMode", { livenessOperationMode: "Active" }],
    ["InvalidDeviceCorrelationId", { deviceCorrelationId: null }],
  ];
  for (const dialect of dialects) {
    for (const [code, fields] of wrong) {
      test(`${dialect.version}: ${code} has the documented message`, async () => {
        const answer = await app.send(dialect.sessions("liveness"), { json: dialect.fields({ ...good, ...fields }) });
        assertError(answer, 400, code);
        const documented = errors.messages[code] ?? "";
        // Only the message of v1.1 has the suffix.
        const isShort = code === "InvalidLivenessOperationMode" && dialect.version !== "v1.1-preview.1";
        assert.equal(messageOf(answer), isShort ? documented.replace(/ Must be 'Passive'\.$/, "") : documented);
      });
    }
  }

  test("have the documented shapes and messages, from the app and from the service", async () => {
    const path = dialectOf("v1.1-preview.1").sessions("liveness");
    const inject = async (status: number) => {
      await control(stack.emulator, "/faults", { operation: "create", status });
      return app.send(path, { json: good });
    };
    const answers = new Map<number, Answer>([
      [400, await app.send(path, { json: [] })],
      [403, await inject(403)],
      [404, await app.send(`${path}/b12e033e-bda7-4b83-a211-e721c661f30e`)],
      [415, await app.send(path, { method: "POST", body: "{}", headers: { "content-type": "text/plain" } })],
      [429, await inject(429)],
    ]);
    // Without numbers, which differ between requests.
    const plain = (message: string) => message.replace(/\d+/g, "N");
    for (const { status, body } of errors.bodies.filter(({ status }) => answers.has(status))) {
      const answer = answers.get(status);
      assert.equal(answer?.status, status);
      assert.equal(plain(messageOf(answer)), plain(body.error.message));
      const documented = Object.keys(body.error).sort();
      const given = z.object({ error: z.record(z.string(), z.unknown()) }).parse(answer.body).error;
      assert.deepEqual(
        documented.filter((name) => name in given),
        documented,
      );
    }
  });
});

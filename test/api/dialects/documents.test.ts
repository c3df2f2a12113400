import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionKinds } from "../../../src/face/model.ts";
import samples from "../../fixtures/face-docs/create-requests.json" with { type: "json" };
import errors from "../../fixtures/face-docs/errors.json" with { type: "json" };
import documented from "../../fixtures/face-docs/fields.json" with { type: "json" };
import { type Answer, assertError, errorOf } from "../support/app-client.ts";
import { describeUpstreams } from "../support/open-stack.ts";
import { dialectOf, isStable, openIn } from "./dialects.ts";

/** The app against the literal requests and fields of the service's documents. */

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

await describeUpstreams("the documents' requests", { CREATION_LIMIT: "100" }, (upstream, { app }) => {
  for (const { document, path, request, response } of samples) {
    const { deviceCorrelationId, deviceCorrelationIdSetInClient, ...rest }: Record<string, unknown> = request;
    const breaksItsRule = deviceCorrelationIdSetInClient === true && deviceCorrelationId !== undefined;

    test(`${document}: the literal sample${breaksItsRule ? ", which breaks a documented rule" : ""}`, async () => {
      const answer = await app.send(path.slice(1), { json: request });
      if (breaksItsRule) {
        assertError(answer, 400, "InvalidDeviceCorrelationId");
        assert.equal(errorOf(answer).message, errors.messages.InvalidDeviceCorrelationId);
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

  for (const { document, version, kind: name, fields } of documented.requests) {
    if (version !== upstream) continue;
    test(`${document}: every field of a ${name} session at once`, async () => {
      const kind = sessionKinds.find((known) => known === name) ?? assert.fail(name);
      const given = fields.filter((field) => field !== "verifyImage");
      for (const field of given) assert.ok(values[field] !== undefined, `no value for ${field}`);
      await openIn(dialectOf(upstream), app, kind, Object.fromEntries(given.map((field) => [field, values[field]])));
    });
  }
});

/** The answer has the fields and types of the sample. */
function assertLike(answer: Answer, sample: object): void {
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const types = (value: object) => Object.entries(value).map(([name, each]) => `${name}: ${typeof each}`);
  assert.deepEqual(types(Object(answer.body)).sort(), types(sample).sort());
}

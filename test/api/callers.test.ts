import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import createFaceClient from "@azure/ai-vision-face";
import { makeImage } from "../fixtures/images.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { assertError, createAppClient } from "./support/app-client.ts";
import { faceClientOptions } from "./support/face-client-options.ts";

const key = "a client's key";
const clientKeys = JSON.stringify({ shop: [createHash("sha256").update(key).digest("hex")] });

/** The header that the platform makes of a signed-in user. */
function principal(id: string, roles: string[] = []): Record<string, string> {
  const claims = [
    { typ: "http://schemas.microsoft.com/identity/claims/objectidentifier", val: id },
    { typ: "name", val: "Alice Example" },
    ...roles.map((val) => ({ typ: "roles", val })),
  ];
  const header = JSON.stringify({ auth_typ: "aad", name_typ: "name", role_typ: "roles", claims });
  return { "x-ms-client-principal": Buffer.from(header).toString("base64") };
}

describe("callers", () => {
  let stack: Stack;
  before(async () => {
    stack = await startStack({ env: { CLIENT_KEYS: clientKeys, WEBSITE_AUTH_ENABLED: "True" } });
  });
  after(() => stack.stop());

  const routes = (sessionId: string, device: string): [string, string][] => [
    ["GET", `face/v1.2/detectLiveness-sessions/${sessionId}`],
    ["DELETE", `face/v1.2/detectLiveness-sessions/${sessionId}`],
    ["GET", `face/v1.1-preview.1/detectLiveness/singleModal/sessions/${sessionId}`],
    ["GET", `face/v1.1-preview.1/detectLiveness/singleModal/sessions/${sessionId}/audit`],
    ["DELETE", `face/v1.2-preview.1/detectLiveness/singleModal/sessions/${sessionId}`],
    ["GET", "face/v1.2/sessionImages/some-image"],
    ["GET", `api/sessions/${sessionId}`],
    ["GET", `api/sessions/${sessionId}/audit-entries`],
    ["GET", `api/devices/${device}/outcomes`],
    ["GET", "api/reference-images/owned"],
    ["GET", "api/reference-images/owned/metadata"],
    ["DELETE", "api/reference-images/owned"],
  ];

  test("turns everyone away who shows nothing, or something that does not hold", async () => {
    const refused: Record<string, string>[] = [
      {},
      { "ocp-apim-subscription-key": "wrong" },
      { "ocp-apim-subscription-key": "wrong", ...principal("alice") },
      { "x-functions-key": "wrong" },
      { "x-ms-client-principal": "not base64 JSON" },
      { "x-ms-client-principal": Buffer.from("{}").toString("base64") },
    ];
    for (const headers of refused) {
      const app = createAppClient(stack.url, headers);
      const creation = { json: { livenessOperationMode: "Passive", deviceCorrelationId: "d" } };
      assertError(await app.send("face/v1.2/detectLiveness-sessions", creation), 401, "Unspecified");
      for (const [method, path] of routes(randomUUID(), "d")) {
        assertError(await app.send(path, { method }), 401, "Unspecified");
      }
    }
  });

  test("believes headers only where headers belong", async () => {
    const alice = createAppClient(stack.url, principal("alice"));
    const { sessionId } = await alice.openSession();
    const forged = { ...principal("alice", ["Liveness.Service"]), "ocp-apim-subscription-key": key };
    const anonymous = createAppClient(stack.url);
    for (const name of ["Headers", "headers", "HEADERS"]) {
      const query = `${name}=${encodeURIComponent(JSON.stringify(forged))}`;
      assertError(await anonymous.send(`api/sessions/${sessionId}?${query}`), 401, "Unspecified");
      const body = { method: "DELETE", json: { [name]: forged } };
      assertError(await anonymous.send(`face/v1.2/detectLiveness-sessions/${sessionId}`, body), 401, "Unspecified");
    }
  });

  test("lets a client key in, by either header and by the official client", async () => {
    for (const name of ["ocp-apim-subscription-key", "x-functions-key"]) {
      await createAppClient(stack.url, { [name]: key }).openSession();
    }
    const client = createFaceClient(stack.url, { key }, faceClientOptions);
    const opened = await client.path("/detectLiveness-sessions").post({
      body: { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID() },
    });
    assert.equal(opened.status, "200");
  });

  test("gives a principal what is its own, a stranger nothing, and a trusted service everything", async () => {
    const alice = createAppClient(stack.url, principal("alice"));
    const { sessionId, deviceCorrelationId } = await alice.openSession();
    const put = await alice.send("api/reference-images/owned", { method: "PUT", body: makeImage() });
    assert.equal(put.status, 201);

    const mallory = createAppClient(stack.url, principal("mallory"));
    for (const [method, path] of routes(sessionId, deviceCorrelationId)) {
      const answer = await mallory.send(path, { method });
      assert.equal(answer.status, 404, `${method} ${path}`);
    }
    assertError(await mallory.send(`api/sessions/${sessionId}/settle`, { json: {} }), 404, "SessionNotFound");
    assertError(
      await mallory.send("face/v1.2/detectLivenessWithVerify-sessions", {
        json: { livenessOperationMode: "Passive", deviceCorrelationId: "m", referenceImageId: "owned" },
      }),
      400,
      "ReferenceImageNotFound",
    );

    assert.equal((await alice.session(sessionId)).sessionId, sessionId);
    assert.equal((await alice.outcomes(deviceCorrelationId)).value.length, 1);
    for (const trusted of [{ "x-functions-key": key }, principal("worker", ["Liveness.Service"])]) {
      assert.equal((await createAppClient(stack.url, trusted).session(sessionId)).sessionId, sessionId);
    }
  });
});

describe("callers where nothing is configured", () => {
  let stack: Stack;
  before(async () => {
    stack = await startStack({ env: { ALLOW_ANONYMOUS: "false" } });
  });
  after(() => stack.stop());

  test("turns everyone away, whatever they show", async () => {
    for (const headers of [{}, { "ocp-apim-subscription-key": key }, principal("alice")]) {
      assertError(await createAppClient(stack.url, headers).send(`api/sessions/${randomUUID()}`), 401, "Unspecified");
    }
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { clientKey, principal } from "../unit/fakes/principals.ts";
import { assertError, createAppClient, creation, sessionsPath, verifySessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const { stack: unconfigured } = await openStack({ env: { ALLOW_ANONYMOUS: "false" } });
const key = clientKey.headers["ocp-apim-subscription-key"];

describe("callers", async () => {
  const { url } = await unconfigured.startAnotherApp(clientKey.settings);
  const clientOf = (headers: Record<string, string>) => createAppClient(url, headers);

  const routes = (sessionId: string, device: string): [string, string][] => [
    ["GET", `${sessionsPath}/${sessionId}`],
    ["DELETE", `${sessionsPath}/${sessionId}`],
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

  test("no or invalid credentials -> 401 on every route", async () => {
    const refused: Record<string, string>[] = [
      {},
      { "ocp-apim-subscription-key": "wrong" },
      { "ocp-apim-subscription-key": "wrong", ...principal("alice") },
      { "x-functions-key": "wrong" },
      { "x-ms-client-principal": "not base64 JSON" },
      { "x-ms-client-principal": Buffer.from("{}").toString("base64") },
    ];
    for (const headers of refused) {
      const app = clientOf(headers);
      assertError(await app.send(sessionsPath, creation("d")), 401, "Unspecified");
      for (const [method, path] of routes(randomUUID(), "d")) {
        assertError(await app.send(path, { method }), 401, "Unspecified");
      }
    }
  });

  test("a Headers property in a query or a body is not a header -> 401", async () => {
    const alice = clientOf(principal("alice"));
    const { sessionId } = await alice.openSession();
    const forged = { ...principal("alice", "Liveness.Service"), "ocp-apim-subscription-key": key };
    const anonymous = clientOf({});
    for (const name of ["Headers", "headers", "HEADERS"]) {
      const query = `${name}=${encodeURIComponent(JSON.stringify(forged))}`;
      assertError(await anonymous.send(`api/sessions/${sessionId}?${query}`), 401, "Unspecified");
      const body = { method: "DELETE", json: { [name]: forged } };
      assertError(await anonymous.send(`${sessionsPath}/${sessionId}`, body), 401, "Unspecified");
    }
  });

  test("accepts a client key in either header", async () => {
    for (const name of ["ocp-apim-subscription-key", "x-functions-key"]) {
      await clientOf({ [name]: key }).openSession();
    }
  });

  test("a user reads its own sessions, another user none, and a service all", async () => {
    const alice = clientOf(principal("alice"));
    const { sessionId, deviceCorrelationId } = await alice.openSession();
    const put = await alice.send("api/reference-images/owned", { method: "PUT", body: makeImage() });
    assert.equal(put.status, 201);

    const mallory = clientOf(principal("mallory"));
    for (const [method, path] of routes(sessionId, deviceCorrelationId)) {
      const answer = await mallory.send(path, { method });
      assert.equal(answer.status, 404, `${method} ${path}`);
    }
    assertError(await mallory.send(`api/sessions/${sessionId}/settle`, { json: {} }), 404, "SessionNotFound");
    const withImage = creation("m", { referenceImageId: "owned" });
    assertError(await mallory.send(verifySessionsPath, withImage), 400, "ReferenceImageNotFound");

    assert.equal((await alice.session(sessionId)).sessionId, sessionId);
    assert.equal((await alice.outcomes(deviceCorrelationId)).value.length, 1);
    for (const trusted of [{ "x-functions-key": key }, principal("worker", "Liveness.Service")]) {
      assert.equal((await clientOf(trusted).session(sessionId)).sessionId, sessionId);
    }
  });
});

describe("callers where nothing is configured", () => {
  test("any credentials -> 401", async () => {
    for (const headers of [{}, clientKey.headers, principal("alice")]) {
      const answer = await createAppClient(unconfigured.url, headers).send(`api/sessions/${randomUUID()}`);
      assertError(answer, 401, "Unspecified");
    }
  });
});

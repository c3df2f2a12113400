import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { apiVersions } from "../../../src/face/model.ts";
import { type Answer, assertError, emulatorState, errorOf } from "../support/app-client.ts";
import { openStack } from "../support/open-stack.ts";
import { dialectOf, dialects, isStable } from "./dialects.ts";

const sessionKinds = ["liveness", "livenessWithVerify"] as const;
const unknownId = "b12e033e-bda7-4b83-a211-e721c661f30e";
const stable = dialectOf("v1.2");
const fields = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };

const messageOf = (answer: Answer) => errorOf(answer).message;

describe("unsupported versions and operations", async () => {
  const { stack, app } = await openStack();

  /** All operations of one version of each family. */
  const paths = dialects.slice(1).flatMap(({ version, sessions }) =>
    sessionKinds.flatMap((kind) => {
      const path = sessions(kind);
      return [
        { version, method: "POST", path },
        { version, method: "GET", path: `${path}/${unknownId}` },
        { version, method: "DELETE", path: `${path}/${unknownId}` },
        ...(isStable(version)
          ? []
          : [path, `${path}/${unknownId}/audit`].map((path) => ({ version, method: "GET", path }))),
      ];
    }),
  );
  const send = (method: string, path: string) => app.send(path, { method, ...(method === "POST" && { json: fields }) });

  const unknown = ["v1.0", "v1.2-preview.2", "V1.2-Preview.2", "v1.2.", "1.2", "constructor", "v1.2%20"];
  for (const wrong of unknown) {
    test(`${wrong}: 404 that names the versions`, async () => {
      for (const { version, method, path } of paths) {
        const answer = await send(method, path.replace(version, wrong));
        assertError(answer, 404, "UnsupportedApiVersion");
        for (const known of apiVersions) assert.ok(messageOf(answer).includes(known), messageOf(answer));
      }
    });
  }

  test("operations of one family in a version of the other: 404 that names the versions", async () => {
    for (const { version, method, path } of paths) {
      const others = apiVersions.filter((other) => isStable(other) !== isStable(version));
      for (const other of others) {
        const answer = await send(method, path.replace(version, other));
        assertError(answer, 404, "UnsupportedApiVersion");
        const family = isStable(version) ? "v1.2 and v1.3-preview.1" : "v1.1-preview.1 and v1.2-preview.1";
        assert.ok(messageOf(answer).includes(`exists in ${family};`), messageOf(answer));
      }
    }
  });

  test("v1.2 has no lists (405) and no audit trails (404)", async () => {
    for (const kind of sessionKinds) {
      for (const query of ["", "?top=10", "?top=0"]) {
        const list = await app.send(stable.sessions(kind) + query);
        assertError(list, 405, "MethodNotAllowed");
        assert.equal(list.headers.get("allow"), "POST");
        assertError(await app.send(`${stable.sessions(kind)}/${unknownId}/audit${query}`), 404, "ResourceNotFound");
      }
    }
  });

  test("session images in v1.1-preview.1 or by the path of the other family: 404 that names the versions", async () => {
    const images = (path: string) => app.send(`face/${path}/an-image`);
    const inOldest = await images("v1.1-preview.1/session/sessionImages");
    assertError(inOldest, 404, "UnsupportedApiVersion");
    assert.match(messageOf(inOldest), /v1\.2-preview\.1/);
    for (const path of ["v1.2/session/sessionImages", "v1.2-preview.1/sessionImages"]) {
      assertError(await images(path), 404, "UnsupportedApiVersion");
    }
  });

  test("none of these requests reaches the service", async () => {
    const { calls } = await emulatorState(stack);
    assert.deepEqual(new Set(Object.values(calls)), new Set([0]));
  });
});

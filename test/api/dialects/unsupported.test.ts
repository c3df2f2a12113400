import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { apiVersions } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Answer, assertError, control } from "../support/app-client.ts";
import { openStack } from "../support/open-stack.ts";
import { dialectOf, dialects } from "./dialects.ts";

const sessionKinds = ["liveness", "livenessWithVerify"] as const;
const unknownId = "b12e033e-bda7-4b83-a211-e721c661f30e";
const stable = dialectOf("v1.2");
const fields = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };

const messageOf = ({ body }: Answer) =>
  z.object({ error: z.object({ message: z.string() }) }).parse(body).error.message;

describe("versions and operations that are not spoken", async () => {
  const { stack, app } = await openStack();

  /** All that an app may ask for, in the words of each family of versions. */
  const paths = dialects.slice(1).flatMap(({ version, sessions }) =>
    sessionKinds.flatMap((kind) => {
      const path = sessions(kind);
      return [
        { version, method: "POST", path },
        { version, method: "GET", path: `${path}/${unknownId}` },
        { version, method: "DELETE", path: `${path}/${unknownId}` },
        ...(version === "v1.2"
          ? []
          : [path, `${path}/${unknownId}/audit`].map((path) => ({ version, method: "GET", path }))),
      ];
    }),
  );
  const ask = (method: string, path: string) => app.send(path, { method, ...(method === "POST" && { json: fields }) });

  const unknown = [
    "v1.0",
    "v1.1",
    "v1.2-preview.2",
    "v1.3",
    "V1.2",
    "V1.2-Preview.1",
    "v1.2.",
    "1.2",
    "latest",
    "constructor",
    "v1.2%20",
  ];
  for (const wrong of unknown) {
    test(`${wrong}: 404 that names the versions`, async () => {
      for (const { version, method, path } of paths) {
        const answer = await ask(method, path.replace(version, wrong));
        assertError(answer, 404, "UnsupportedApiVersion");
        for (const known of apiVersions) assert.ok(messageOf(answer).includes(known), messageOf(answer));
      }
    });
  }

  test("operations of one family with a version of the other: 404 that names those that have them", async () => {
    for (const { version, method, path } of paths) {
      const others = version === "v1.2" ? ["v1.1-preview.1", "v1.2-preview.1"] : ["v1.2"];
      for (const other of others) {
        const answer = await ask(method, path.replace(version, other));
        assertError(answer, 404, "UnsupportedApiVersion");
        const family = version === "v1.2" ? "v1.2" : "v1.1-preview.1 and v1.2-preview.1";
        assert.ok(messageOf(answer).includes(`exists in ${family};`), messageOf(answer));
      }
    }
  });

  test("operations that v1.2 does not have: 405 for lists of sessions, 404 for audit trails", async () => {
    for (const kind of sessionKinds) {
      for (const query of ["", "?top=10", "?top=0"]) {
        const list = await app.send(stable.sessions(kind) + query);
        assertError(list, 405, "MethodNotAllowed");
        assert.equal(list.headers.get("allow"), "POST");
        assertError(await app.send(`${stable.sessions(kind)}/${unknownId}/audit${query}`), 404, "ResourceNotFound");
      }
    }
  });

  test("session images in v1.1-preview.1, and by the other family's path: 404 that names the versions", async () => {
    const images = (path: string) => app.send(`face/${path}/an-image`);
    const inOldest = await images("v1.1-preview.1/session/sessionImages");
    assertError(inOldest, 404, "UnsupportedApiVersion");
    assert.match(messageOf(inOldest), /v1\.2-preview\.1/);
    for (const path of ["v1.2/session/sessionImages", "v1.2-preview.1/sessionImages"]) {
      assertError(await images(path), 404, "UnsupportedApiVersion");
    }
  });

  test("operations that no version has: 404", async () => {
    for (const { version, sessions } of dialects) {
      for (const path of [`face/${version}/detect`, `${sessions("liveness")}/${unknownId}/more`, `face/${version}/`]) {
        assertError(await ask("POST", path), 404, "ResourceNotFound");
      }
    }
  });

  test("methods that a path has not: 405 with those that it has, in the versions that have the path", async () => {
    for (const { version, sessions } of dialects) {
      for (const kind of sessionKinds) {
        assertError(await ask("PUT", sessions(kind)), 405, "MethodNotAllowed");
        assertError(await ask("POST", `${sessions(kind)}/${unknownId}`), 405, "MethodNotAllowed");
        const answer = await ask("PUT", sessions(kind).replace(version, "v1.0"));
        assertError(answer, 404, "ResourceNotFound");
      }
    }
  });

  test("fields of another dialect: 400, and none is dropped", async () => {
    const foreign: [version: string, field: string, value: unknown][] = [
      ["v1.1-preview.1", "enableSessionImage", true],
      ["v1.1-preview.1", "livenessSingleModalModel", "2022-10-15-preview.04"],
      ["v1.1-preview.1", "livenessModelVersion", "2024-11-15"],
      ["v1.1-preview.1", "verifyConfidenceThreshold", 0.5],
      ["v1.1-preview.1", "returnVerifyImageHash", true],
      ["v1.2-preview.1", "livenessModelVersion", "2024-11-15"],
      ["v1.2", "livenessSingleModalModel", "2022-10-15-preview.04"],
      ["v1.2", "sendResultsToClient", false],
    ];
    for (const [version, field, value] of foreign) {
      const dialect = dialects.find((each) => each.version === version);
      assert.ok(dialect);
      const asked = { ...fields, [field]: value };
      for (const kind of sessionKinds) {
        const request = kind === "liveness" ? { json: asked } : { body: dialect.form(asked, makeImage()) };
        const answer = await app.send(dialect.sessions(kind), request);
        assertError(answer, 400, "InvalidRequestBody");
        assert.ok(JSON.stringify(answer.body).includes(`"target":"${field}"`), JSON.stringify(answer.body));
      }
    }
  });

  test("are nothing that the service hears of", async () => {
    const { calls } = z.object({ calls: z.record(z.string(), z.int()) }).parse(await control(stack.emulator, "/state"));
    assert.deepEqual(
      Object.entries(calls).filter(([, count]) => count > 0),
      [],
    );
  });
});

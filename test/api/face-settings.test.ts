import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { apiVersions } from "../../src/face/model.ts";
import { clientKey, principal } from "../unit/fakes/principals.ts";
import { type AppRequest, assertError, createAppClient, createClient, errorOf } from "./support/app-client.ts";
import { describeUpstreams } from "./support/open-stack.ts";

/** Settings of the Face resource and the token for client assets: for trusted services only. */

const service = clientKey.headers;
const settings = "face/v1.3-preview.1/settings";
const assetsToken = `${settings}/getClientAssetsAccessToken`;
const monitoring = (enabled: boolean) => ({ livenessAbuseMonitoring: { enabled } });
const patch = (json: unknown): AppRequest => ({ method: "PATCH", json });
const calls: [path: string, request: AppRequest][] = [
  [settings, {}],
  [settings, patch(monitoring(false))],
  [settings, patch("no object")],
  [assetsToken, {}],
];

const tokenShape = z.strictObject({
  expiry: z.iso.datetime(),
  accessToken: z.string().min(1),
  base64AccessToken: z.base64(),
});

await describeUpstreams("settings of the Face resource", clientKey.settings, (upstream, opened) => {
  const { stack, control, emulatorState } = opened;
  const app = createAppClient(stack.url, service);

  /** The answer to HEAD has no body that the API's description could be compared with. */
  const head = (path: string, headers: Record<string, string>) =>
    createClient(stack.url, headers)(path, { method: "HEAD" });

  /** Calls of the settings that have reached the service. */
  async function callsOfService(): Promise<number[]> {
    const { settings, patchSettings, clientAssetsToken } = (await emulatorState()).calls;
    return [settings, patchSettings, clientAssetsToken];
  }

  test("callers that are no trusted service -> 404, without credentials 401, and no call to the service", async () => {
    const before = await callsOfService();
    for (const [path, request] of calls) {
      for (const [headers, status, code] of [
        [principal("alice"), 404, "ResourceNotFound"],
        [principal("bob", "Liveness.Reviewer"), 404, "ResourceNotFound"],
        [{}, 401, "Unspecified"],
        [{ "ocp-apim-subscription-key": "another key" }, 401, "Unspecified"],
      ] satisfies [Record<string, string>, number, string][]) {
        const answer = await createAppClient(stack.url, headers).send(path, request);
        assertError(answer, status, code);
        assert.equal((await head(path, headers)).status, status);
      }
    }
    assert.deepEqual(await callsOfService(), before);
  });

  test("versions of the path without settings -> 404 that names the version with them", async () => {
    for (const version of [...apiVersions.filter((known) => known !== "v1.3-preview.1"), "v1.4"]) {
      for (const [path, request] of calls) {
        const answer = await app.send(path.replace("v1.3-preview.1", version), request);
        assertError(answer, 404, "UnsupportedApiVersion");
        assert.ok(errorOf(answer).message.includes("v1.3-preview.1"), errorOf(answer).message);
      }
    }
  });

  if (upstream !== "v1.3-preview.1") {
    test("trusted services -> 404 that names the upstream version, and no call to the service", async () => {
      const before = await callsOfService();
      for (const [path, request] of calls) {
        const answer = await app.send(path, request);
        assertError(answer, 404, "UnsupportedApiVersion");
        assert.ok(errorOf(answer).message.includes(upstream), errorOf(answer).message);
        assert.equal((await head(path, service)).status, 404);
      }
      assert.deepEqual(await callsOfService(), before);
    });
    return;
  }

  test("a trusted service reads and changes the settings; new sessions follow them", async () => {
    const enabled = async () => {
      const { body } = await app.send("face/v1.3-preview.1/detectLiveness-sessions", {
        json: { livenessOperationMode: "Passive", deviceCorrelationId: "a-device", userCorrelationId: "a-user" },
      });
      return z.looseObject({ isAbuseMonitoringEnabled: z.boolean() }).parse(body).isAbuseMonitoringEnabled;
    };
    const robot = createAppClient(stack.url, principal("robot", "Liveness.Service"));
    for (const [client, value] of [
      [app, false],
      [robot, true],
    ] as const) {
      const changed = await client.send(settings, patch(monitoring(value)));
      const unchanged = [await client.send(settings, patch({})), await client.send(settings)];
      unchanged.push(await client.send(settings, patch({ livenessAbuseMonitoring: {} })));
      for (const answer of [changed, ...unchanged]) {
        assert.deepEqual([answer.status, answer.body], [200, monitoring(value)]);
        assert.equal(answer.headers.get("cache-control"), "no-store");
        assert.ok(answer.headers.get("apim-request-id"));
      }
      assert.equal(await enabled(), value);
    }
  });

  test("HEAD -> the headers of GET, without a body", async () => {
    for (const path of [settings, assetsToken]) {
      const [get, bare] = [await app.send(path), await head(path, service)];
      assert.deepEqual([bare.status, bare.body, get.status], [200, "", 200]);
      for (const name of ["cache-control", "content-type", "content-length"])
        assert.equal(bare.headers.get(name), get.headers.get(name), name);
    }
  });

  test("a change with a field that is wrong or unknown -> 400 that names it, and no call to the service", async () => {
    const before = await callsOfService();
    for (const [json, target] of [
      [{ livenessAbuseMonitoring: { enabled: "false" } }, "livenessAbuseMonitoring.enabled"],
      [{ livenessAbuseMonitoring: { enabled: null } }, "livenessAbuseMonitoring.enabled"],
      [{ livenessAbuseMonitoring: null }, "livenessAbuseMonitoring"],
      [{ livenessAbuseMonitoring: false }, "livenessAbuseMonitoring"],
      [{ livenessAbuseMonitoring: { enabled: false, unknown: 1 } }, "unknown"],
      [{ ...monitoring(false), livenessAbuseMonitorin: {} }, "livenessAbuseMonitorin"],
      [[], "body"],
      [null, "body"],
      ["text", "body"],
    ] as const) {
      const answer = await app.send(settings, patch(json));
      assertError(answer, 400, "InvalidRequestBody");
      assert.deepEqual(
        errorOf(answer).details?.map((detail) => detail.target),
        [target],
      );
    }
    const json = { "content-type": "application/json" };
    assertError(await app.send(settings, { method: "PATCH", body: "{", headers: json }), 400, "InvalidRequestBody");
    const text = { "content-type": "text/plain" };
    assertError(await app.send(settings, { method: "PATCH", body: "{}", headers: text }), 415, "BadArgument");
    const large = `{"livenessAbuseMonitoring":{}${" ".repeat(70_000)}}`;
    const tooLarge = await app.send(settings, { method: "PATCH", body: large, headers: json });
    assertError(tooLarge, 413, "RequestBodyTooLarge");
    assert.deepEqual(await callsOfService(), before);
  });

  test("the client assets token -> a new one each time, which must not be cached", async () => {
    const answers = [await app.send(assetsToken), await app.send(assetsToken)];
    const tokens = answers.map((answer) => {
      assert.deepEqual([answer.status, answer.headers.get("cache-control")], [200, "no-store"]);
      const { accessToken, base64AccessToken } = tokenShape.parse(answer.body);
      assert.equal(Buffer.from(base64AccessToken, "base64").toString(), accessToken);
      return accessToken;
    });
    assert.notEqual(tokens[0], tokens[1]);
  });

  for (const [operation, path, request] of [
    ["settings", settings, {}],
    ["patchSettings", settings, patch(monitoring(true))],
    ["clientAssetsToken", assetsToken, {}],
  ] as const) {
    test(`${operation}: errors of the service are passed on, a refused key and a wrong endpoint are not`, async () => {
      const fault = (more: object) => control("/faults", { operation, times: 10, ...more });
      for (const [given, status, code, message] of [
        [{ status: 400, code: "BadArgument", message: "Not now." }, 400, "BadArgument", "Not now."],
        [
          { status: 403, code: "UnsupportedFeature", message: "Not approved." },
          403,
          "UnsupportedFeature",
          "Not approved.",
        ],
        [{ status: 401 }, 502, "FaceCredentialsRejected", undefined],
        [{ status: 404, code: "404", message: "Resource not found" }, 502, "FaceResponseInvalid", undefined],
        [{ status: 500, code: "InternalServerError", message: "It broke." }, 500, "InternalServerError", "It broke."],
        [{ reset: true }, 502, "FaceUnreachable", undefined],
      ] as const) {
        await fault(given);
        const answer = await app.send(path, request);
        await control("/faults", undefined, "DELETE");
        assertError(answer, status, code);
        if (message !== undefined) assert.equal(errorOf(answer).message, message);
      }
      await fault({ status: 429, retryAfter: 60 });
      const throttled = await app.send(path, request);
      await control("/faults", undefined, "DELETE");
      assertError(throttled, 429, "429");
      assert.equal(throttled.headers.get("retry-after"), "60");
    });
  }
});

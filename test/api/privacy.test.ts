import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import * as z from "zod";
import { makeImage } from "../fixtures/images.ts";
import { type Stack, startStack } from "../local/stack.ts";
import {
  control,
  createAppClient,
  creation,
  emulatorState,
  playAttempt,
  sessionsPath,
  verifyCreation,
  verifySessionsPath,
} from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { type Row, viewStorage } from "./support/storage-view.ts";
import { startTelemetryIntake } from "./support/telemetry-intake.ts";

const livenessPath = "face/v1.3-preview.1/detectLiveness-sessions";
const verifyPath = "face/v1.3-preview.1/detectLivenessWithVerify-sessions";
const settingsPath = "face/v1.3-preview.1/settings";
const clientKey = `client-key-${randomUUID()}`;
const userIdKey = `user-id-key-${randomBytes(24).toString("hex")}`;
const service = { "ocp-apim-subscription-key": clientKey };
const claimed = { oid: `oid-${randomUUID()}`, name: "Alice Liddell", email: "alice@wonderland.example" };
const claims = Object.entries(claimed).map(([typ, val]) => ({ typ, val }));
const principal = Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64");
const callers: Record<string, string>[] = [service, { "x-ms-client-principal": principal }];

/** Documentation prefixes that occur nowhere else: a hit is an address of the story. */
const expectedBlock = "203.0.113.0/24";
const addresses = { inside: "203.0.113.77", outside: "198.51.100.66", ipv6: "2001:db8:77::1" };
const traces = ["203.0.113.", "198.51.100.", "2001:db8:77", "cb00:71"];

/** A client that keeps the answers that are errors. */
function watchErrors(stack: Stack, headers: Record<string, string>, errors: string[]) {
  const app = createAppClient(stack.url, headers);
  const send: typeof app.send = async (...request) => {
    const answer = await app.send(...request);
    if (answer.headers.has("x-ms-error-code")) errors.push(JSON.stringify([answer.body, [...answer.headers]]));
    return answer;
  };
  return { ...app, send };
}

/** A story of what v1.3-preview.1 adds: addresses of devices, user ids, a credential for client assets. */
interface Story {
  stack: Stack;
  logs: string;
  /** Answers of the app that are errors. */
  errors: string[];
  /** Credentials for client assets, in both notations. */
  assetsTokens: string[];
  /** The user ids that the app derived for sessions whose dialect names none. */
  derived: string[];
  device: string;
  /** Of a session in an older dialect, which names no user. */
  otherDevice: string;
  user: string;
}

const tokenShape = z.looseObject({ accessToken: z.string(), base64AccessToken: z.string() });
const env = {
  USER_ID_KEY: userIdKey,
  ALLOW_DEVICE_SET_IN_CLIENT: "true",
  CREATION_LIMIT: "100",
  OWNER_CREATION_LIMIT: "100",
  CLIENT_KEYS: JSON.stringify({ shop: [createHash("sha256").update(clientKey).digest("hex")] }),
  WEBSITE_AUTH_ENABLED: "true",
};

function newStory(stack: Stack): Story {
  const [device, otherDevice, user] = ["device", "other-device", "user"].map((name) => `${name}-${randomUUID()}`);
  assert.ok(device && otherDevice && user);
  return { stack, logs: "", errors: [], assetsTokens: [], derived: [], device, otherDevice, user };
}

/** Sessions with addresses in every state that they can be in, and failures of every part. */
async function play(story: Story): Promise<void> {
  const { stack, errors, assetsTokens, device, otherDevice, user } = story;
  const image = makeImage({ sizeInBytes: 4096 }, 11);
  const earlierLogs = stack.app.output().length;
  const { inside, outside, ipv6 } = addresses;
  for (const headers of callers) {
    const { send } = watchErrors(stack, headers, errors);
    const fields = {
      ...{ livenessOperationMode: "Passive", deviceCorrelationId: device, userCorrelationId: user },
      ...{ numberOfClientAttemptsAllowed: 2, expectedClientIpAddress: expectedBlock },
    };
    const form = (more: object = {}) => {
      const parts = new FormData();
      for (const [name, value] of Object.entries({ ...fields, ...more })) parts.set(name, String(value));
      parts.set("verifyImage", new File([image], "me.jpg"));
      return parts;
    };
    const open = async (path: string, request: Parameters<typeof send>[1]) => {
      const { status, body } = await send(path, request);
      assert.equal(status, 200, JSON.stringify(body));
      return z.object({ sessionId: z.string(), authToken: z.string() }).parse(body);
    };
    const { deviceCorrelationId: _, ...ofAnyDevice } = fields;
    const sessions = [
      { path: livenessPath, ...(await open(livenessPath, { json: fields })) },
      { path: verifyPath, ...(await open(verifyPath, { body: form(), headers: { "idempotency-key": randomUUID() } })) },
      { path: livenessPath, ...(await open(livenessPath, { json: { ...fields, expectedClientIpAddress: ipv6 } })) },
      // Moved to its device when it is settled.
      {
        path: livenessPath,
        ...(await open(livenessPath, { json: { ...ofAnyDevice, deviceCorrelationIdSetInClient: true } })),
      },
      { path: sessionsPath, ...(await open(sessionsPath, creation(otherDevice))) },
    ];
    for (const { path, ...session } of sessions) {
      const deviceCorrelationId = path === sessionsPath ? otherDevice : device;
      await playAttempt(stack.emulator, session, { scenario: "TimedOut", clientIp: outside, deviceCorrelationId });
      await playAttempt(stack.emulator, session, { scenario: "running", clientIp: inside });
      await playAttempt(stack.emulator, session, { scenario: "realface", clientIp: ipv6, abuse: true });
      await send(`${path}/${session.sessionId}`);
      await send(`api/sessions/${session.sessionId}/settle`, {
        json: { digest: "00", clientError: "none", deviceCorrelationId },
      });
      await send(`api/sessions/${session.sessionId}/audit-entries`);
    }
    // Only the timer reads this one.
    const unread = await open(livenessPath, { json: fields });
    await playAttempt(stack.emulator, unread, { scenario: "realface", clientIp: outside });
    const [first] = sessions;
    const session = `${livenessPath}/${first?.sessionId}`;
    for (const [fault, path, request] of [
      [{ operation: "create", status: 500 }, livenessPath, { json: fields }],
      [{ operation: "create", status: 400 }, verifyPath, { body: form() }],
      [{ operation: "create", reset: true }, livenessPath, { json: fields }],
      [{ operation: "create", after: true, reset: true }, livenessPath, { json: fields }],
      [{ operation: "get", status: 500 }, session, {}],
      [{ operation: "patchSettings", status: 500 }, settingsPath, { method: "PATCH", json: {} }],
      [{ operation: "clientAssetsToken", reset: true }, `${settingsPath}/getClientAssetsAccessToken`, {}],
      [{ operation: "delete", status: 500 }, session, { method: "DELETE" }],
    ] as const) {
      await control(stack.emulator, "/faults", { ...fault, times: 20 });
      await send(path, request);
      await control(stack.emulator, "/faults", undefined, "DELETE");
    }
    // Values where they do not belong.
    for (const more of [
      { expectedClientIpAddress: `${inside}:443` },
      { livenessOperationMode: inside },
      { authTokenTimeToLiveInSeconds: 1 },
    ]) {
      await send(livenessPath, { json: { ...fields, ...more } });
      await send(verifyPath, { body: form(more) });
      await send(sessionsPath, { json: { ...fields, ...more } });
    }
    const { status, body } = await send(`${settingsPath}/getClientAssetsAccessToken`);
    if (status !== 200) continue;
    const { accessToken, base64AccessToken } = tokenShape.parse(body);
    assetsTokens.push(accessToken, base64AccessToken);
  }
  await control(stack.emulator, "/clock", { advanceSeconds: 3600 });
  await control(stack.emulator, "/faults", { operation: "get", status: 500, times: 50 });
  await stack.app.runFunction("maintainSessions");
  await control(stack.emulator, "/faults", undefined, "DELETE");
  await control(stack.emulator, "/clock", { advanceSeconds: 1800 });
  await stack.app.runFunction("maintainSessions");
  story.logs = stack.app.output().slice(earlierLogs);
  const { sessions } = await emulatorState(stack);
  const ids = sessions.flatMap(({ userCorrelationId = [] }) => userCorrelationId);
  story.derived.push(...ids.filter((id) => id !== user));
}

function assertSilent(text: string, secrets: Record<string, readonly string[]>, where: string): void {
  for (const [kind, values] of Object.entries(secrets)) {
    assert.ok(values.length > 0, kind);
    const found = values.filter((value) => text.includes(value));
    assert.deepEqual(found, [], `${kind} in ${where}`);
  }
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}` : inner));
const hasAddress = (text: string) => traces.some((trace) => text.includes(trace));

async function rowsByTable({ azurite }: Stack): Promise<[table: string, row: Row][]> {
  const storage = viewStorage(azurite.connectionString);
  const tables = ["sessions", "sessionids", "expiry", "users", "outcomes"];
  const rows = await Promise.all(tables.map((table) => storage.rows(table)));
  return tables.flatMap((table, index) => (rows[index] ?? []).map((row) => [table, row] as [string, Row]));
}

describe("what v1.3-preview.1 adds", async () => {
  const intake = await startTelemetryIntake({ after });
  const telemetry = { APPLICATIONINSIGHTS_CONNECTION_STRING: intake.connectionString };
  const { stack } = await openStack({ env: { ...env, ...telemetry, FACE_API_VERSION: "v1.3-preview.1" } });
  const storage = viewStorage(stack.azurite.connectionString);
  const app = createAppClient(stack.url, service);
  const stories: Story[] = [];

  for (const erased of ["device", "user"] as const) {
    test(`addresses are in sessions and their audit entries only, and nowhere after the erasure of the ${erased}`, async () => {
      const story = newStory(stack);
      const { assetsTokens, derived, device, otherDevice, user } = story;
      await play(story);
      stories.push(story);

      const before = await rowsByTable(stack);
      const places = before
        .filter(([, row]) => hasAddress(textOf(row)))
        .map(([table, row]) => `${table} ${row.rowKey?.slice(0, 2)}`);
      assert.deepEqual([...new Set(places)].sort(), ["sessions a_", "sessions s_"]);
      const kept = { "assets token": assetsTokens, "key of user ids": [userIdKey], "derived user id": derived };
      assertSilent(await storage.everything(), kept, "storage");
      assert.ok(textOf(before).includes(user) && textOf(before).includes(device));

      const id = erased === "device" ? device : user;
      assert.equal((await app.send(`api/${erased}s/${id}`, { method: "DELETE" })).status, 200);
      const after = await rowsByTable(stack);
      const left = after.filter(([, row]) => hasAddress(textOf(row))).map(([, row]) => row.partitionKey);
      assert.deepEqual([...new Set(left)], [otherDevice], "only the session that names neither");
      assert.equal(textOf(after).includes(id), false, `the ${erased}`);
      assert.equal((await storage.everything()).includes(id), false, `the ${erased}`);
      assert.equal((await app.send(`api/devices/${otherDevice}`, { method: "DELETE" })).status, 200);
      assert.equal(hasAddress(textOf(await rowsByTable(stack))), false);
    });
  }

  test("no address, assets token or key of user ids in logs, errors, spans and metrics", async () => {
    await stack.stop();
    assert.ok(intake.spans().some(({ name }) => name === "face.create"));
    assert.ok(intake.measurements("liveness.reasons").some(({ facts }) => facts.reason === "ClientIpMismatch"));
    assert.equal(stories.length, 2);
    for (const { logs, errors, assetsTokens, derived, device, otherDevice, user } of stories) {
      assert.ok(errors.length > 20, "the story provokes errors");
      for (const event of ["RequestFailed", "MaintenanceFailed"]) assert.ok(logs.includes(event), event);
      const secrets = { address: traces, "assets token": assetsTokens, "key of user ids": [userIdKey] };
      const ids = { device: [device, otherDevice], user: [user], "derived user id": derived };
      assertSilent(logs, { ...secrets, ...ids }, "logs");
      assertSilent(intake.text(), { ...secrets, ...ids }, "telemetry");
      assertSilent(errors.join("\n"), { ...secrets, "derived user id": derived }, "errors");
    }
  });
});

test("no token, key, image or claim in logs, errors and tables", async (t) => {
  const stack = await startStack({ env });
  t.after(() => stack.stop());
  const [errors, tokens]: [string[], string[]] = [[], []];
  const image = makeImage({ sizeInBytes: 4096 }, 7);
  for (const caller of callers) {
    const { send, openVerify } = watchErrors(stack, caller, errors);
    const opened = await openVerify(randomUUID(), {}, image);
    const path = `${verifySessionsPath}/${opened.sessionId}`;
    tokens.push(opened.authToken);
    await control(stack.emulator, "/settings", { tokenInGet: true });
    await playAttempt(stack.emulator, opened, { scenario: "realface" });
    await send(path);
    await send(`api/sessions/${opened.sessionId}/settle`, { json: { digest: "00", clientError: "none" } });
    for (const fault of [
      { operation: "create", status: 500, times: 1 },
      { operation: "create", reset: true, times: 1 },
      { operation: "create", after: true, reset: true, times: 1 },
      { operation: "get", status: 500, times: 5 },
      { operation: "delete", reset: true, times: 5 },
    ]) {
      await control(stack.emulator, "/faults", fault);
      await send(verifySessionsPath, verifyCreation(randomUUID(), {}, image));
      await send(path);
      await send(path, { method: "DELETE" });
      await control(stack.emulator, "/faults", undefined, "DELETE");
    }
    await send(verifySessionsPath, { method: "POST", body: image, headers: { "content-type": "application/json" } });
    await send(sessionsPath, creation(clientKey.repeat(3), { livenessOperationMode: opened.authToken }));
    await send("api/reference-images/me", { method: "PUT", body: image });
  }
  await control(stack.emulator, "/clock", { advanceSeconds: 3600 });
  await control(stack.emulator, "/faults", { operation: "get", status: 500, times: 50 });
  await stack.app.runFunction("maintainSessions");
  const tables = await viewStorage(stack.azurite.connectionString).everything();
  assert.match(tables, /"kind":"livenessWithVerify"/);
  await stack.azurite.stop();
  await watchErrors(stack, { "x-functions-key": clientKey }, errors).send("api/sessions/x-y");

  assert.ok(errors.length > 10, "the test provokes errors");
  assert.match(stack.app.output(), /RequestFailed/, "the app logs them");
  const pixels = image.subarray(100, 160);
  const secrets = {
    token: tokens.flatMap((token) => [token, token.slice(-30), token.split(".")[1] ?? token]),
    key: [clientKey, stack.emulator.key],
    image: [pixels.toString("base64"), pixels.toString("latin1")],
    claim: [principal, ...Object.values(claimed)],
  };
  assertSilent(stack.app.output(), secrets, "logs");
  assertSilent(errors.join("\n"), secrets, "errors");
  assertSilent(tables, secrets, "tables");
});

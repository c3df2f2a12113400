import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startChild } from "../../local/child.ts";
import { startFaceEmulator } from "../../local/emulator/emulator.ts";
import { until } from "../support/until.ts";
import { assertError, at, startStandIn } from "./stand-in.ts";

const v12 = "/face/v1.2/detectLiveness-sessions";
const verify = "/face/v1.2/detectLivenessWithVerify-sessions";
const valid = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };
const main = fileURLToPath(new URL("../../local/emulator/main.ts", import.meta.url));

test("a port in use -> an error with port and host", async (t) => {
  const emulator = await startStandIn(t);
  await assert.rejects(startFaceEmulator({ port: emulator.port }), {
    message: `The Face emulator cannot listen on port ${emulator.port} of 127.0.0.1: it is already in use.`,
  });
});

test("close ends calls in flight", async () => {
  const emulator = await startFaceEmulator();
  const fault = { operation: "get", delayMs: 3_600_000 };
  await fetch(`${emulator.url}/emulator/faults`, { method: "POST", body: JSON.stringify(fault) });
  const waiting = assert.rejects(fetch(`${emulator.url}${v12}/x`));
  await until(async () => {
    return at(await (await fetch(`${emulator.url}/emulator/state`)).json(), "calls", "get") === 1;
  });
  await emulator.close();
  await waiting;
});

test("runs as a process; a port in use -> one line, exit code 1", async (t) => {
  const start = (port: number) => {
    const child = startChild(main, { env: { FACE_EMULATOR_PORT: String(port) } });
    t.after(() => child.kill("SIGKILL"));
    return child;
  };
  const first = start(0);
  await until(() => {
    assert.equal(first.process.exitCode, null, first.output());
    return first.output().includes("\n");
  });
  const [url, port] = /http:\/\/127\.0\.0\.1:(\d+)/.exec(first.output()) ?? assert.fail(first.output());
  assert.equal((await fetch(`${url}/emulator/state`)).status, 200);

  const second = start(Number(port));
  assert.equal(await second.exited, 1);
  assert.match(
    second.output(),
    /^The Face emulator cannot listen on port \d+ of 127\.0\.0\.1: it is already in use\.\n$/,
  );

  await first.stop();
  assert.equal(await first.exited, 0);
});

test("unknown paths, versions and methods -> 404", async (t) => {
  const emulator = await startStandIn(t);
  for (const [method, path] of [
    ["GET", "/"],
    ["GET", "/face/v1.3/detectLiveness-sessions/x"],
    ["POST", "/face/v1.2/detectLiveness/singleModal/sessions"],
    ["POST", "/face/v1.1-preview.1/detectLiveness-sessions"],
    ["PUT", `${v12}/x`],
    ["GET", `${v12}/`],
    ["GET", "/face//v1.2/detectLiveness-sessions/x"],
    ["GET", "//"],
  ] as const) {
    assertError(await emulator.face(path, { method }), 404, "404");
  }
  assertError(await emulator.face(`${v12}/%E0%A4%A`), 404, "SessionNotFound");
});

test("media types: JSON for liveness, forms for v1.2 with verify, both for the previews with verify", async (t) => {
  const emulator = await startStandIn(t);
  const body = JSON.stringify(valid);
  const post = (path: string, type: string) => emulator.face(path, { body, headers: { "content-type": type } });
  assert.equal((await post(v12, "Application/JSON; charset=utf-8")).status, 200);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]) {
    assertError(await post(v12, type), 415, "BadArgument");
  }
  assertError(await post(verify, "application/json"), 415, "BadArgument");
  const preview = "/face/v1.1-preview.1/detectLivenessWithVerify/singleModal/sessions";
  assert.equal((await post(preview, "application/json")).status, 200);
  for (const type of ["multipart/form-data", "multipart/form-data; boundary=b"]) {
    assertError(await post(preview, type), 400, "InvalidRequestBody");
    assertError(await post(verify, type), 400, "InvalidRequestBody");
  }
});

test("bodies other than a JSON object -> 400", async (t) => {
  const emulator = await startStandIn(t);
  const headers = { "content-type": "application/json" };
  for (const body of ["", "{", "null", "1", "[]", Buffer.from([0x7b, 0xff, 0x7d])]) {
    assertError(await emulator.face(v12, { method: "POST", headers, body }), 400, "InvalidRequestBody");
  }
});

test("a body over the limit -> 413", async (t) => {
  const emulator = await startStandIn(t);
  const body = Buffer.alloc(17 * 1024 * 1024, 0x20);
  const headers = { "content-type": "application/json" };
  assertError(await emulator.face(v12, { body, headers }), 413, "BadArgument");
});

test("a chunked body -> 200", async (t) => {
  const emulator = await startStandIn(t);
  const headers = { "ocp-apim-subscription-key": emulator.key, "content-type": "application/json" };
  const call = request(`${emulator.url}${v12}`, { method: "POST", headers });
  const answered = once(call, "response");
  const text = JSON.stringify(valid);
  call.write(text.slice(0, 10));
  call.end(text.slice(10));
  const [response] = await answered;
  response.resume();
  assert.equal(response.statusCode, 200);
});

test("every answer has a new request id", async (t) => {
  const emulator = await startStandIn(t);
  const answers = [
    await emulator.face(v12, { json: valid }),
    await emulator.face(`${v12}/x`),
    await emulator.call(v12),
    await emulator.call("/emulator/state"),
  ];
  const ids = answers.map((answer) => answer.headers.get("apim-request-id"));
  for (const id of ids) assert.match(id ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, ids.length);
});

import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { request as openRequest } from "node:http";
import { type TestContext, test } from "node:test";
import { z } from "zod";
import { findFreePorts } from "../local/ports.ts";
import { startStack } from "../local/stack.ts";
import {
  type ReceiverOptions,
  secretsFor,
  startWebhookReceiver,
  type WebhookReceiver,
} from "../local/webhook-receiver.ts";
import { until } from "./support/until.ts";

/** The local receiver of webhooks, called as an app would call it. */

const endpointsShape = z.array(z.object({ name: z.string(), url: z.string(), secrets: z.array(z.string()) }));

async function startReceiver(t: TestContext, options: ReceiverOptions = {}) {
  const lines: string[] = [];
  const receiver = await startWebhookReceiver({ onWebhook: (line) => lines.push(line), ...options });
  t.after(() => receiver.close());
  return { receiver, lines };
}

function endpointOf({ endpoints }: Pick<WebhookReceiver, "endpoints">) {
  const [endpoint] = endpointsShape.parse(JSON.parse(endpoints));
  return endpoint ?? assert.fail();
}

interface Sent {
  id?: string;
  body?: string;
  secret?: string;
  atMs?: number;
  type?: string;
  host?: string;
}

function eventOf(id: string) {
  return JSON.stringify({
    specversion: "1.0",
    id,
    source: "face-liveness",
    type: "liveness.session.decided",
    time: new Date().toISOString(),
    subject: "sessions/one",
    datacontenttype: "application/json",
    data: { decision: "realface", reasons: ["DigestMatched"], revision: 1 },
  });
}

/** Sends a signed webhook. Redirects are not followed. */
async function send(receiver: Pick<WebhookReceiver, "endpoints">, sent: Sent = {}) {
  const { url, secrets } = endpointOf(receiver);
  const { id = randomUUID(), secret = secrets[0] ?? assert.fail(), atMs = Date.now() } = sent;
  const { body = eventOf(id), type = "application/cloudevents+json" } = sent;
  const timestamp = String(Math.floor(atMs / 1000));
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signature = `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
  return fetch(url, { method: "POST", headers: { "content-type": type, ...headers }, body, redirect: "manual" });
}

async function call(receiver: WebhookReceiver, route: string, json?: unknown) {
  const [method = "", path = ""] = route.split(" ");
  const body = json === undefined ? null : JSON.stringify(json);
  const answer = await fetch(`${receiver.url}${path}`, { method, body });
  return { status: answer.status, json: answer.status === 204 ? undefined : await answer.json() };
}

test("a signed CloudEvent is kept and printed; a repeated one is marked", async (t) => {
  const { receiver, lines } = await startReceiver(t);
  const id = randomUUID();
  assert.equal((await send(receiver, { id })).status, 204);
  assert.equal((await send(receiver, { id })).status, 204);
  const rest = "realface (DigestMatched), signature valid, answer 204";
  assert.deepEqual(lines, [
    `webhook liveness.session.decided, ${id}, ${rest}`,
    `webhook liveness.session.decided, ${id} (repeated), ${rest}`,
  ]);
  const seen = receiver
    .received()
    .map(({ receivedOn: _, event, ...others }) => ({ ...others, subject: event?.subject }));
  const entry = { id, signature: "valid", answer: 204, subject: "sessions/one" };
  assert.deepEqual(seen, [
    { ...entry, repeated: false },
    { ...entry, repeated: true },
  ]);

  assert.deepEqual(await call(receiver, "GET /received"), { status: 200, json: { received: receiver.received() } });
  assert.equal((await call(receiver, "DELETE /received")).status, 204);
  assert.deepEqual((await call(receiver, "GET /received")).json, { received: [] });
});

test("another signature -> 401, and nothing of the body is kept or printed", async (t) => {
  const { receiver, lines } = await startReceiver(t);
  const secret = `whsec_${Buffer.alloc(32).toString("base64")}`;
  assert.equal((await send(receiver, { id: "forged", secret })).status, 401);
  assert.equal((await send(receiver, { id: "old", atMs: Date.now() - 400_000 })).status, 401);
  assert.equal((await fetch(receiver.url, { method: "POST", body: eventOf("unsigned") })).status, 401);
  assert.deepEqual(lines, [
    "webhook from an unknown sender, forged, signature not valid: mismatch, answer 401",
    "webhook from an unknown sender, old, signature not valid: tooOld, answer 401",
    "webhook from an unknown sender, (no id), signature not valid: missing, answer 401",
  ]);
  assert.ok(receiver.received().every((entry) => !("event" in entry)));
  assert.equal((await send(receiver, { id: "forged" })).status, 204);
  assert.equal(receiver.received().at(-1)?.repeated, false, "a forged webhook does not make a real one a repetition");
});

test("a signed body that is no CloudEvent in JSON -> 400; a larger one than 64 KB -> 413", async (t) => {
  const { receiver } = await startReceiver(t);
  assert.equal((await send(receiver, { type: "application/json" })).status, 400);
  assert.equal((await send(receiver, { body: "{" })).status, 400);
  assert.equal((await send(receiver, { body: '{"specversion":"1.0"}' })).status, 400);
  assert.equal((await send(receiver, { body: "x".repeat(65_537) })).status, 413);
});

test("requests for other host names and unknown routes are refused", async (t) => {
  const { receiver } = await startReceiver(t);
  const request = openRequest(`${receiver.url}/received`, { headers: { host: "rebound.example" }, agent: false }).end();
  const [response] = await once(request, "response");
  response.resume();
  assert.equal(response.statusCode, 421);
  assert.equal((await call(receiver, "GET /")).status, 404);
  assert.equal((await call(receiver, "POST /received")).status, 404);
});

test("faults: status with Retry-After, redirect, reset, delay", async (t) => {
  const { receiver, lines } = await startReceiver(t);
  const inject = async (fault: object) => assert.equal((await call(receiver, "POST /faults", fault)).status, 200);
  await inject({ status: 429, retryAfter: 120, times: 2 });
  await inject({ status: 410 });
  await inject({ redirectTo: "http://127.0.0.1:9/elsewhere" });
  await inject({ reset: true });
  const answers = [await send(receiver), await send(receiver), await send(receiver), await send(receiver)];
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers.get("retry-after") ?? headers.get("location")]),
    [
      [429, "120"],
      [429, "120"],
      [410, null],
      [307, "http://127.0.0.1:9/elsewhere"],
    ],
  );
  await assert.rejects(send(receiver), TypeError);
  const seen = receiver.received().map(({ answer, signature }) => `${answer} ${signature}`);
  assert.deepEqual(seen, ["429 valid", "429 valid", "410 valid", "307 valid", "reset valid"]);

  await inject({ delayMs: 5 });
  assert.equal((await send(receiver)).status, 204);
  assert.match(lines.at(-1) ?? "", /, answer 204 after 5 ms$/);
  assert.deepEqual((await call(receiver, "GET /faults")).json, { faults: [] });

  await inject({ status: 500, rate: 1 });
  assert.equal((await send(receiver)).status, 500);
  assert.equal((await call(receiver, "DELETE /faults")).status, 204);
  assert.equal((await send(receiver)).status, 204);
});

test("a webhook that hangs is kept at once, and ends with the receiver", async (t) => {
  const { receiver } = await startReceiver(t);
  await call(receiver, "POST /faults", { delayMs: 3_600_000 });
  const sent = assert.rejects(send(receiver), TypeError);
  await until(() => receiver.received().length === 1);
  await receiver.close();
  await sent;
});

test("invalid faults -> 400 with the reason", async (t) => {
  const { receiver } = await startReceiver(t);
  const invalid: [object, RegExp][] = [
    [{}, /at least one of status, redirectTo, reset and delayMs/],
    [{ status: 500, reset: true }, /not both/],
    [{ status: 500, times: 1, rate: 1 }, /times or rate/],
    [{ reset: true, retryAfter: 1 }, /retryAfter needs status/],
    [{ status: 200, redirectTo: "http://127.0.0.1/" }, /300 to 399/],
    [{ status: 500, operation: "create" }, /operation/],
  ];
  for (const [fault, reason] of invalid) {
    const { status, json } = await call(receiver, "POST /faults", fault);
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), reason);
  }
});

test("the latest webhooks are kept, up to a number", async (t) => {
  const { receiver } = await startReceiver(t, { maxReceived: 4 });
  for (const id of ["1", "2", "3", "4"]) await send(receiver, { id });
  assert.equal(receiver.received().length, 4);
  await send(receiver, { id: "5" });
  await send(receiver, { id: "1" });
  assert.deepEqual(
    receiver.received().map(({ id, repeated }) => [id, repeated]),
    [
      ["4", false],
      ["5", false],
      ["1", false],
    ],
  );
});

test("the secrets for a port are those of its endpoints on this machine", () => {
  const endpoint = (url: string, secret: string) => ({ name: secret, url, secrets: [secret] });
  const setting = JSON.stringify([
    endpoint("http://127.0.0.1:7090/", "one"),
    endpoint("http://localhost:7090/path", "two"),
    endpoint("http://127.0.0.1:7091/", "another port"),
    endpoint("https://example.com:7090/", "another machine"),
  ]);
  assert.deepEqual(secretsFor(7090, setting), ["one", "two"]);
  assert.deepEqual(secretsFor(7090, "[{"), []);
});

test("a stack whose app has endpoints keeps them, and the receiver uses their secrets", async (t) => {
  const [receiver = 0] = await findFreePorts(1);
  const secrets = [`whsec_${Buffer.alloc(32, 1).toString("base64")}`];
  const endpoints = JSON.stringify([{ name: "own", url: `http://127.0.0.1:${receiver}/`, secrets }]);
  const stack = await startStack({ webhooks: true, ports: { receiver }, env: { WEBHOOK_ENDPOINTS: endpoints } });
  t.after(() => stack.stop());
  assert.equal(stack.settings.WEBHOOK_ENDPOINTS, endpoints);
  assert.equal((await send({ endpoints })).status, 204);
});

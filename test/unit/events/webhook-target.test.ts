import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import type { RequestListener, ServerResponse } from "node:http";
import { describe, type TestContext, test } from "node:test";
import * as fc from "fast-check";
import { AddressNotAllowed, isPublicAddress, lookupAllowed, type Resolve } from "../../../src/events/addresses.ts";
import { createEndpointSwitch, type DisabledEndpoint } from "../../../src/events/endpoint-states.ts";
import type { WebhookEndpoint } from "../../../src/events/webhook-endpoint.ts";
import { createWebhookTarget, type WebhookTargetOptions } from "../../../src/events/webhook-target.ts";
import { checkSignature } from "../../local/webhook-signature.ts";
import { decided, refusals, startServer } from "../fakes/receiver.ts";

const nowMs = Date.parse("2026-03-01T12:00:00.000Z");
const secrets = [1, 2].map((fill) => `whsec_${Buffer.alloc(32, fill).toString("base64")}`);

async function startReceiver(t: TestContext, answer: RequestListener) {
  const { requests, origin } = await startServer(t, answer);
  return { received: requests, url: `${origin}/hook?code=hidden-code` };
}

type TargetOptions = Partial<Omit<WebhookTargetOptions, "endpoint" | "states">> & {
  endpoint?: Partial<WebhookEndpoint>;
  states?: Partial<Parameters<typeof createEndpointSwitch>[0]>;
};

function targetOf(url: string, { endpoint, states, ...options }: TargetOptions = {}) {
  const disabled: DisabledEndpoint[] = [];
  const stored = { disabled: async () => disabled, disable: async (one: DisabledEndpoint) => void disabled.push(one) };
  const now = () => nowMs;
  const target = createWebhookTarget({
    ...{ source: "an-app", allowsPrivateAddresses: true, now, timeoutMs: 500 },
    ...options,
    states: createEndpointSwitch({ ...stored, ...states }, now),
    endpoint: { name: "crm", url, secrets: secrets.slice(0, 1), ...endpoint },
  });
  return { target, disabled };
}

const status =
  (code: number, headers: Record<string, string> = {}): RequestListener =>
  (_request, response: ServerResponse) =>
    response.writeHead(code, headers).end("hidden answer");

test("a webhook is a CloudEvent with a signature of every secret that another implementation accepts", async (t) => {
  const { received, url } = await startReceiver(t, status(204));
  const { target } = targetOf(url, { endpoint: { secrets } });
  assert.deepEqual(await target.deliver(decided), { outcome: "delivered" });
  const { headers, body } = received[0] ?? assert.fail();
  assert.deepEqual(JSON.parse(body), {
    ...{ specversion: "1.0", id: decided.id, source: "an-app", type: decided.type, time: decided.occurredOn },
    ...{ subject: "sessions/one", datacontenttype: "application/json", data: decided.data },
  });
  assert.equal(headers["content-type"], "application/cloudevents+json");
  assert.deepEqual([headers["webhook-id"], headers["webhook-timestamp"]], [decided.id, String(nowMs / 1000)]);
  const signatures = String(headers["webhook-signature"]).split(" ");
  for (const [index, secret] of secrets.entries()) {
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    const expected = createHmac("sha256", key)
      .update(`${decided.id}.${nowMs / 1000}.${body}`)
      .digest("base64");
    assert.equal(signatures[index], `v1,${expected}`);
    const webhook = {
      ...{ id: decided.id, timestamp: String(headers["webhook-timestamp"]) },
      ...{ signature: signatures.join(" "), body: Buffer.from(body) },
    };
    assert.equal(checkSignature(webhook, [secret], nowMs), "valid");
  }
});

describe("results", () => {
  for (const [code, headers, retryAfterMs] of refusals) {
    test(`${code} ${JSON.stringify(headers)} -> retry${retryAfterMs === undefined ? "" : ` after ${retryAfterMs} ms`}`, async (t) => {
      const { received, url } = await startReceiver(t, status(code, headers));
      const result = await targetOf(url).target.deliver(decided);
      const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
      assert.deepEqual(result, { outcome: "retry", cause: `Status${code}`, ...wait });
      assert.equal(received.length, 1, "no redirect is followed");
    });
  }

  test("410 -> gone; disabled until the settings change, also for other instances", async (t) => {
    const { received, url } = await startReceiver(t, status(410));
    const { target, disabled } = targetOf(url);
    assert.deepEqual(await target.deliver(decided), { outcome: "gone" });
    assert.deepEqual(await target.deliver(decided), { outcome: "gone" });
    assert.equal(received.length, 1);
    const shared = { states: { disabled: async () => disabled } };
    assert.deepEqual(await targetOf(url, shared).target.deliver(decided), { outcome: "gone" });
    assert.equal(received.length, 1);
    await targetOf(url, { ...shared, endpoint: { secrets } }).target.deliver(decided);
    assert.equal(received.length, 2);
    assert.equal(JSON.stringify(disabled).includes(secrets[0] ?? ""), false);
  });

  test("no answer, an endless body or one that never ends -> decided by the status, else a timeout", async (t) => {
    const silent = await startReceiver(t, () => undefined);
    const timedOut = { outcome: "retry", cause: "Timeout" };
    assert.deepEqual(await targetOf(silent.url, { timeoutMs: 50 }).target.deliver(decided), timedOut);
    const trickling = await startReceiver(t, (_request, response) => void response.writeHead(200).write("x"));
    assert.deepEqual(await targetOf(trickling.url, { timeoutMs: 50 }).target.deliver(decided), {
      outcome: "delivered",
    });
    const closed = Promise.withResolvers<void>();
    const endless = await startReceiver(t, (_request, response) => {
      response.on("close", () => closed.resolve());
      response.writeHead(200);
      const more = () => response.write("x".repeat(1024), (error) => !error && more());
      more();
    });
    assert.deepEqual(await targetOf(endless.url).target.deliver(decided), { outcome: "delivered" });
    await closed.promise;
  });

  test("connection reset or refused, unknown name -> a code without details", async (t) => {
    const resetting = await startReceiver(t, ({ socket }) => socket.destroy());
    const failed = { outcome: "retry", cause: "ConnectionFailed" };
    assert.deepEqual(await targetOf(resetting.url).target.deliver(decided), failed);
    assert.deepEqual(await targetOf("http://127.0.0.1:1/").target.deliver(decided), failed);
    const resolve: Resolve = (_name, _options, callback) =>
      callback(Object.assign(new Error("hidden-code"), { code: "ENOTFOUND" }), []);
    const unknown = targetOf("http://unknown.example/?code=hidden-code", { resolve });
    assert.deepEqual(await unknown.target.deliver(decided), { outcome: "retry", cause: "NameNotResolved" });
  });

  test("aborted by the caller -> retry", async (t) => {
    const { url } = await startReceiver(t, () => undefined);
    const result = await targetOf(url).target.deliver(decided, AbortSignal.abort());
    assert.equal(result.outcome, "retry");
  });

  test("states cannot be read -> retry, nothing is sent", async (t) => {
    const { received, url } = await startReceiver(t, status(204));
    const { target } = targetOf(url, { states: { disabled: () => Promise.reject(new Error("hidden")) } });
    assert.deepEqual(await target.deliver(decided), { outcome: "retry", cause: "StatesUnavailable" });
    assert.equal(received.length, 0);
  });

  test("410 while the state cannot be written -> gone", async (t) => {
    const { url } = await startReceiver(t, status(410));
    const { target } = targetOf(url, { states: { disable: () => Promise.reject(new Error("hidden")) } });
    assert.deepEqual(await target.deliver(decided), { outcome: "gone" });
  });

  test("a connection that breaks within the body, or switches protocols -> the status decides", async (t) => {
    for (const [code, expected] of [
      [200, { outcome: "delivered" }],
      [500, { outcome: "retry", cause: "Status500" }],
    ] as const) {
      const { url } = await startReceiver(t, (_request, response) => {
        response.writeHead(code, { "content-length": "9" }).write("hidden", () => response.destroy());
      });
      assert.deepEqual(await targetOf(url).target.deliver(decided), expected);
    }
    const switching = await startReceiver(t, ({ socket }) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    });
    const failed = { outcome: "retry", cause: "ConnectionFailed" };
    assert.deepEqual(await targetOf(switching.url).target.deliver(decided), failed);
  });
});

describe("addresses outside of the local stack", () => {
  const notAllowed = { outcome: "retry", cause: "AddressNotAllowed" };

  test("a literal private address, in any notation of URLs -> nothing is sent", async (t) => {
    const { received, url } = await startReceiver(t, status(204));
    const { port } = new URL(url);
    for (const host of ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "[::1]"]) {
      const { target } = targetOf(`http://${host}:${port}/`, { allowsPrivateAddresses: false });
      assert.deepEqual(await target.deliver(decided), notAllowed, host);
    }
    assert.equal(received.length, 0);
  });

  test("a name that resolves to a private address -> nothing is sent", async (t) => {
    const { received, url } = await startReceiver(t, status(204));
    const { port } = new URL(url);
    const resolve: Resolve = (_name, _options, callback) => callback(null, [{ address: "127.0.0.1", family: 4 }]);
    const named = `http://rebound.example:${port}/`;
    const { target } = targetOf(named, { allowsPrivateAddresses: false, resolve });
    assert.deepEqual(await target.deliver(decided), notAllowed);
    assert.equal(received.length, 0);
    assert.deepEqual(await targetOf(named, { resolve }).target.deliver(decided), { outcome: "delivered" });
  });
});

test("results contain no secret, URL or text of the answer", async (t) => {
  for (const answer of [status(500), status(302, { location: "http://hidden.example" }), status(410)]) {
    const { url } = await startReceiver(t, answer);
    const text = JSON.stringify(await targetOf(url).target.deliver(decided));
    assert.equal(/hidden|whsec|127\.0\.0\.1/.test(text), false, text);
  }
});

describe("isPublicAddress", () => {
  test("public addresses", () => {
    for (const address of ["8.8.8.8", "20.50.2.3", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a01:111::1"]) {
      assert.equal(isPublicAddress(address), true, address);
    }
  });

  test("loopback, private, link-local, shared, multicast, documentation, platform: not public, in any notation", () => {
    for (const address of [
      ...["127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
      ...["169.254.169.254", "168.63.129.16", "100.64.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1"],
      ...["255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1"],
      ...["::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "2001::1"],
      ...["0:0:0:0:0:ffff:7f00:0001", "::127.0.0.1", "100::1", "localhost", "", "8.8.8", "0x7f.1", "017700000001"],
    ]) {
      assert.equal(isPublicAddress(address), false, address);
    }
  });

  test("no address of a private network, whatever its other digits", () => {
    const byte = fc.nat({ max: 255 });
    const network = fc.constantFrom("10", "127", "0", "192.168", "169.254", "172.20", "100.100", "240");
    fc.assert(
      fc.property(network, byte, byte, byte, (prefix, a, b, c) => {
        const parts = [...prefix.split("."), a, b, c].slice(0, 4).join(".");
        assert.equal(isPublicAddress(parts), false, parts);
        assert.equal(isPublicAddress(`::ffff:${parts}`), false, parts);
      }),
    );
  });

  test("IPv6: only what is below 2000::/3", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const first = Number.parseInt(new URL(`http://[${address}]/`).hostname.slice(1).split(":")[0] || "0", 16);
        if (first < 0x2000 || first > 0x3fff) assert.equal(isPublicAddress(address), false, address);
      }),
    );
  });
});

describe("lookupAllowed", () => {
  const answering =
    (...addresses: string[]): Resolve =>
    (_name, _options, callback) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );

  async function lookup(resolve: Resolve, all: boolean): Promise<unknown> {
    const { promise, resolve: done, reject } = Promise.withResolvers<unknown>();
    lookupAllowed(resolve, isPublicAddress)("a-name", { all }, (error, address) =>
      error ? reject(error) : done(address),
    );
    return promise;
  }

  test("passes on allowed addresses only", async () => {
    assert.deepEqual(await lookup(answering("127.0.0.1", "8.8.8.8", "::1"), true), [{ address: "8.8.8.8", family: 4 }]);
    assert.equal(await lookup(answering("10.0.0.1", "2606:4700::1111"), false), "2606:4700::1111");
  });

  test("none allowed, or an error -> fails", async () => {
    for (const all of [true, false]) {
      await assert.rejects(lookup(answering("127.0.0.1", "10.0.0.1"), all), AddressNotAllowed);
      await assert.rejects(lookup(answering(), all), AddressNotAllowed);
    }
    const failing: Resolve = (_name, _options, callback) =>
      callback(Object.assign(new Error("no"), { code: "ENOTFOUND" }), []);
    await assert.rejects(lookup(failing, true), { code: "ENOTFOUND" });
  });
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type TestContext, test } from "node:test";
import { createDefaultHttpClient, type HttpClient } from "@azure/core-rest-pipeline";
import { createEventGridTarget, type EventGridTargetOptions } from "../../../src/events/event-grid-target.ts";
import { listen } from "../../local/ports.ts";
import { decided, refusals, startServer } from "../fakes/receiver.ts";

/** A topic that a local server stands in for, called through the whole pipeline of the library. */

const topicEndpoint = "https://topic.westeurope-1.eventgrid.azure.net/api/events";

async function startTopic(t: TestContext, answer: RequestListener) {
  const { requests, origin } = await startServer(t, answer);
  return { requests, httpClient: clientTo(origin) };
}

/** Sends the requests for the topic, which the library sends by https only, to a local server. */
function clientTo(origin: string): HttpClient {
  const client = createDefaultHttpClient();
  return {
    sendRequest(request) {
      request.url = request.url.replace(new URL(topicEndpoint).origin, origin);
      request.allowInsecureConnection = true;
      return client.sendRequest(request);
    },
  };
}

function connect(options: Partial<EventGridTargetOptions> = {}) {
  const scopes: unknown[] = [];
  const target = createEventGridTarget({
    topicEndpoint,
    source: "face-liveness",
    credential: {
      getToken: async (scope) => {
        scopes.push(scope);
        return { token: "the app's token", expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    },
    now: () => Date.parse("2026-03-01T12:00:00Z"),
    ...options,
  });
  return { target, scopes };
}

const succeed: RequestListener = (_request, response) => response.end();

test("an event is published as a CloudEvent, with a token of the app's identity", async (t) => {
  const { requests, httpClient } = await startTopic(t, succeed);
  const { target, scopes } = connect({ httpClient });
  assert.deepEqual(await target.deliver(decided), { outcome: "delivered" });
  const [request, ...others] = requests;
  assert.equal(others.length, 0);
  assert.equal(`${request?.method} ${request?.url}`, "POST /api/events?api-version=2018-01-01");
  assert.equal(request?.headers["content-type"], "application/cloudevents-batch+json; charset=utf-8");
  assert.equal(request?.headers.authorization, "Bearer the app's token");
  assert.deepEqual(scopes.flat(), ["https://eventgrid.azure.net/.default"]);
  const { id, type, occurredOn: time, subject, data } = decided;
  const attributes = { specversion: "1.0", source: "face-liveness", datacontenttype: "application/json" };
  assert.deepEqual(JSON.parse(request?.body ?? ""), [{ ...attributes, id, type, time, subject, data }]);
});

test("an event without a subject has no such attribute", async (t) => {
  const { requests, httpClient } = await startTopic(t, succeed);
  const { subject: _, ...withoutSubject } = decided;
  await connect({ httpClient }).target.deliver(withoutSubject);
  assert.doesNotMatch(requests[0]?.body ?? assert.fail(), /subject/);
});

test("the target has the topic's name and accepts every type", () => {
  const { target } = connect();
  assert.equal(target.name, "event-grid");
  assert.ok(target.accepts("liveness.session.decided") && target.accepts("liveness.webhook.test"));
});

for (const [status, headers, retryAfterMs] of [...refusals, [410, {}] as const]) {
  test(`${status} ${JSON.stringify(headers)} is retried later, once it was sent once`, async (t) => {
    const { requests, httpClient } = await startTopic(t, (_request, response) => {
      response.writeHead(status, { ...headers, "content-type": "application/json" });
      response.end('{"error":{"code":"Refused","message":"topic topic-one"}}');
    });
    const result = await connect({ httpClient }).target.deliver(decided);
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    assert.deepEqual(result, { outcome: "retry", cause: `Status${status}`, ...wait });
    assert.equal(requests.length, 1, "no redirect is followed");
  });
}

test("a success with another status or an unreadable body is a delivery", async (t) => {
  const statuses = [200, 202];
  const { httpClient } = await startTopic(t, (_request, response) => {
    response.writeHead(statuses.shift() ?? assert.fail(), { "content-type": "application/json" }).end("{");
  });
  const { target } = connect({ httpClient });
  assert.deepEqual(await target.deliver(decided), { outcome: "delivered" });
  assert.deepEqual(await target.deliver(decided), { outcome: "delivered" });
});

test("a connection that is reset, or not made, is retried later", async (t) => {
  const { requests, httpClient } = await startTopic(t, (_request, response) => response.socket?.resetAndDestroy());
  assert.deepEqual(await connect({ httpClient }).target.deliver(decided), {
    outcome: "retry",
    cause: "ConnectionFailed",
  });
  assert.equal(requests.length, 1);

  const unused = createServer();
  const port = await listen(unused);
  unused.close();
  await once(unused, "close");
  const { target } = connect({ httpClient: clientTo(`http://127.0.0.1:${port}`) });
  assert.deepEqual(await target.deliver(decided), { outcome: "retry", cause: "ConnectionFailed" });
});

test("a topic that does not answer: the delivery ends at its limit, or when it is aborted", async (t) => {
  const silent = await startTopic(t, () => undefined);
  const limited = connect({ httpClient: silent.httpClient, timeoutMs: 1 }).target;
  assert.deepEqual(await limited.deliver(decided), { outcome: "retry", cause: "Timeout" });

  const abort = new AbortController();
  const { httpClient, requests } = await startTopic(t, () => abort.abort());
  const { target } = connect({ httpClient });
  assert.deepEqual(await target.deliver(decided, abort.signal), { outcome: "retry", cause: "Aborted" });
  assert.deepEqual(await target.deliver(decided, AbortSignal.abort()), { outcome: "retry", cause: "Aborted" });
  assert.equal(requests.length, 1);
});

test("without a token nothing is sent", async (t) => {
  const { requests, httpClient } = await startTopic(t, succeed);
  class CredentialUnavailableError extends Error {
    override name = "CredentialUnavailableError";
  }
  const credential = { getToken: () => Promise.reject(new CredentialUnavailableError("identity 1234 is unknown")) };
  const { target } = connect({ httpClient, credential });
  assert.deepEqual(await target.deliver(decided), { outcome: "retry", cause: "NoToken" });
  const none = connect({ httpClient, credential: { getToken: async () => null } });
  assert.equal((await none.target.deliver(decided)).outcome, "retry");
  const hanging = connect({ httpClient, timeoutMs: 1, credential: { getToken: () => new Promise(() => {}) } });
  assert.deepEqual(await hanging.target.deliver(decided), { outcome: "retry", cause: "Timeout" });
  assert.equal(requests.length, 0);
});

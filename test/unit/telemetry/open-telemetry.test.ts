import assert from "node:assert/strict";
import { test } from "node:test";
import { metrics as api } from "@opentelemetry/api";
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { ApiError } from "../../../src/errors.ts";
import { createTelemetry } from "../../../src/telemetry/open-telemetry.ts";
import type { ServiceCall, Telemetry } from "../../../src/telemetry/telemetry.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const host = "b7ad6b7169203331";
const invocation = {
  functionName: "settleSession",
  isRequest: true,
  invocationId: "i-1",
  traceParent: `00-${trace}-${host}-00`,
};

function arrange(): { telemetry: Telemetry; spans: () => ReadableSpan[] } {
  const exporter = new InMemorySpanExporter();
  // The sampled flag of the host is always off and has no effect here.
  const tracers = new BasicTracerProvider({
    sampler: new AlwaysOnSampler(),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  let time = 1_000_000;
  const telemetry = createTelemetry({
    tracer: tracers.getTracer("test"),
    meter: api.getMeter("none"),
    targets: { face: "face.test", tables: "tables.test", blobs: "blobs.test" },
    now: () => ++time,
    shutdown: () => tracers.shutdown(),
  });
  return { telemetry, spans: () => exporter.getFinishedSpans() };
}

/** A call with one HTTP request. */
function sendOne<T>(telemetry: Telemetry, call: ServiceCall, end: () => Promise<T>): Promise<T> {
  return telemetry.call(call, async () => {
    telemetry.observeRequest()();
    return end();
  });
}

const face: ServiceCall = { name: "face.get", service: "face" };
const tables: ServiceCall = { name: "creations.reserve", service: "tables" };

test("an invocation is a child of the host's request, its calls are children of the invocation", async () => {
  const { telemetry, spans } = arrange();
  const answer = await telemetry.invocation(invocation, async () => {
    telemetry.note({ "liveness.client": "shop", nothing: undefined });
    return sendOne(telemetry, tables, async () => "done");
  });
  assert.equal(answer, "done");
  const [call, work] = spans();
  assert.equal(work?.parentSpanContext?.spanId, host);
  assert.equal(call?.parentSpanContext?.spanId, work?.spanContext().spanId);
  assert.deepEqual(new Set(spans().map((span) => span.spanContext().traceId)), new Set([trace]));
  assert.deepEqual(work?.attributes, { "faas.invocation_id": "i-1", "liveness.client": "shop" });
  assert.equal(call?.attributes["server.address"], "tables.test");
});

test("an invalid or missing traceparent starts a new trace", async () => {
  const { telemetry, spans } = arrange();
  for (const traceParent of [undefined, "", "nonsense", `00-${"0".repeat(32)}-${host}-01`]) {
    await telemetry.invocation({ ...invocation, traceParent }, async () => undefined);
  }
  assert.equal(spans().length, 4);
  assert.ok(spans().every((span) => span.parentSpanContext === undefined));
});

test("a call's span has the number of HTTP requests, the last status and the service's request ids", async () => {
  const { telemetry, spans } = arrange();
  await telemetry.invocation(invocation, () =>
    telemetry.call(face, async () => {
      telemetry.observeRequest()(500, "first");
      const ended = telemetry.observeRequest();
      ended(200, "second");
      ended();
    }),
  );
  const [call] = spans();
  assert.equal(call?.attributes.requests, 2);
  assert.equal(call?.attributes["http.response.status_code"], 200);
  assert.equal(call?.attributes["face.request_id"], "first second");
});

test("concurrent calls are counted separately", async () => {
  const { telemetry, spans } = arrange();
  await telemetry.invocation(invocation, () =>
    Promise.all(
      [1, 2, 3].map((requests) =>
        telemetry.call({ name: `face.${requests}`, service: "face" }, async () => {
          for (let sent = 0; sent < requests; sent += 1) {
            const ended = telemetry.observeRequest();
            await null;
            ended(200);
          }
        }),
      ),
    ),
  );
  const calls = spans().filter(({ name }) => name.startsWith("face."));
  assert.deepEqual(calls.map(({ name, attributes }) => [name, attributes.requests]).sort(), [
    ["face.1", 1],
    ["face.2", 2],
    ["face.3", 3],
  ]);
});

test("failures have their codes only, and refusals by the rules are not storage failures", async () => {
  const { telemetry, spans } = arrange();
  const secret = "a message that quotes the request";
  const cases: [ServiceCall, Error, string, boolean][] = [
    [face, new ApiError(429, "TooManyRequests", secret), "TooManyRequests", true],
    [tables, new ApiError(429, "429", secret), "429", false],
    [tables, new ApiError(503, "StorageUnavailable", secret), "StorageUnavailable", true],
    [tables, new TypeError(secret), "TypeError", true],
  ];
  for (const [sent, error, code, failed] of cases) {
    const work = telemetry.invocation(invocation, () => sendOne(telemetry, sent, () => Promise.reject(error)));
    await assert.rejects(work, (thrown) => thrown === error);
    const call = spans().findLast(({ name }) => name === sent.name);
    assert.deepEqual([call?.attributes["error.code"], call?.status.code === 2], [code, failed]);
  }
  const exported = spans().map(({ attributes, events, status }) => [attributes, events, status]);
  assert.doesNotMatch(JSON.stringify(exported), /quotes/);
});

test("successful calls of a long run have at most 500 spans; failures always have one", async () => {
  const { telemetry, spans } = arrange();
  await telemetry.invocation(invocation, async () => {
    for (let call = 0; call < 600; call += 1) await sendOne(telemetry, tables, async () => call);
    await telemetry.call(face, () => Promise.reject(new ApiError(500, "500", "no"))).catch(() => undefined);
  });
  assert.equal(spans().filter(({ name }) => name === tables.name).length, 500);
  assert.equal(spans().filter(({ name }) => name === face.name).length, 1);
});

test("a request without response clears the status", async () => {
  const { telemetry, spans } = arrange();
  await telemetry.invocation(invocation, () =>
    telemetry.call(tables, async () => {
      telemetry.observeRequest()(503);
      telemetry.observeRequest()();
    }),
  );
  assert.deepEqual([spans()[0]?.attributes.requests, spans()[0]?.attributes["response.status"]], [2, undefined]);
});

test("requests have the session id, runs of the timer do not", async () => {
  const { telemetry, spans } = arrange();
  for (const isRequest of [true, false]) {
    await telemetry.invocation({ ...invocation, isRequest }, async () => telemetry.noteSession("s-1"));
  }
  const ids = spans().map(({ attributes }) => attributes["liveness.session_id"]);
  assert.deepEqual(ids, ["s-1", undefined]);
});

test("an invocation that answers 5xx is marked as failed", async () => {
  const { telemetry, spans } = arrange();
  for (const status of [404, 503]) {
    await telemetry.invocation(invocation, async () => telemetry.note({ "response.status": status }, status >= 500));
  }
  const [refused, failed] = spans().map(({ attributes, status }) => [attributes["response.status"], status.code === 2]);
  assert.deepEqual([refused, failed, spans().length], [[404, false], [503, true], 2]);
});

test("calls without HTTP requests, or outside of an invocation, have no span", async () => {
  const { telemetry, spans } = arrange();
  await telemetry.invocation(invocation, async () => {
    const atOnce = telemetry.call(tables, () => "at once");
    assert.equal(atOnce, "at once");
    assert.equal(await telemetry.call(tables, async () => "from memory"), "from memory");
  });
  assert.equal(await telemetry.call(tables, async () => "outside"), "outside");
  telemetry.observeRequest()(200);
  telemetry.note({ lost: true });
  assert.deepEqual([spans()[0]?.name, spans().length], ["settleSession", 1]);
});

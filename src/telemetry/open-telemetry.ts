import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Attributes,
  type Context,
  isSpanContextValid,
  type Meter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { compact } from "../compact.ts";
import { ApiError } from "../errors.ts";
import { type Facts, type MetricName, metrics, type ServiceCall, type Telemetry } from "./telemetry.ts";

/** State of an invocation, or of a call within it. */
interface Scope {
  span: Span;
  isRequest: boolean;
  parent: Context;
  /** Number of the invocation's call spans, shared by all its calls. */
  calls: { spans: number };
  call?: CallNotes;
}

interface CallNotes extends ServiceCall {
  requests: number;
  /** Of the last request. */
  status?: number | undefined;
  requestIds: string[];
}

/** Most call spans of an invocation, failed calls excepted: a run of the timer may make hundreds of thousands of calls. */
const maxCallSpans = 500;

/**
 * Attributes from which the exporter derives the dependency type in Application Insights. The value of the HTTP method is not
 * displayed; its presence makes the call an HTTP dependency with a result code.
 */
const typeOf: Record<ServiceCall["service"], Attributes> = {
  face: { "http.request.method": "POST" },
  tables: { "db.system": "azure.tables" },
  blobs: { "db.system": "azure.blobs" },
};

/** Host name of each service. */
export type Targets = Record<ServiceCall["service"], string>;

/** Implements `Telemetry` with OpenTelemetry's API. `now` returns milliseconds since the epoch. */
export function createTelemetry(options: {
  tracer: Tracer;
  meter: Meter;
  targets: Targets;
  now: () => number;
  shutdown: () => Promise<void>;
}): Telemetry {
  const { tracer, meter, targets, now, shutdown } = options;
  const scope = new AsyncLocalStorage<Scope>();
  const instruments = new Map(
    Object.entries(metrics).map(([name, { type, unit, description }]) => {
      const details = { unit, description };
      if (type === "counter") {
        const counter = meter.createCounter(name, details);
        return [name, (value: number, facts: Attributes) => counter.add(value, facts)] as const;
      }
      const instrument = type === "gauge" ? meter.createGauge(name, details) : meter.createHistogram(name, details);
      return [name, (value: number, facts: Attributes) => instrument.record(value, facts)] as const;
    }),
  );

  return { invocation, call, note, noteSession, observeRequest, measure, shutdown };

  async function invocation<T>(
    { functionName, isRequest, invocationId, traceParent }: Parameters<Telemetry["invocation"]>[0],
    run: () => Promise<T>,
  ): Promise<T> {
    const span = tracer.startSpan(
      functionName,
      { kind: SpanKind.INTERNAL, startTime: now(), attributes: { "faas.invocation_id": invocationId } },
      contextOf(traceParent),
    );
    try {
      const parent = trace.setSpan(ROOT_CONTEXT, span);
      return await scope.run({ span, isRequest, parent, calls: { spans: 0 } }, run);
    } catch (error) {
      fail(span, error);
      throw error;
    } finally {
      span.end(now());
    }
  }

  function call<T>(serviceCall: ServiceCall, run: () => T): T {
    const outer = scope.getStore();
    if (outer === undefined) return run();
    const notes: CallNotes = { ...serviceCall, requests: 0, requestIds: [] };
    const startTime = now();
    const result = scope.run({ ...outer, call: notes }, run);
    if (!(result instanceof Promise)) return result;
    result.then(
      () => finish(outer, notes, startTime),
      (error: unknown) => finish(outer, notes, startTime, error ?? new Error("Unknown")),
    );
    return result;
  }

  function finish(scope: Scope, notes: CallNotes, startTime: number, error?: unknown): void {
    const { span: invocationSpan, parent, calls } = scope;
    // A trace that is not sampled has no spans at all.
    if (!invocationSpan.isRecording()) return;
    const failed = error !== undefined && isFailureOf(notes, error);
    if (!failed && (notes.requests === 0 || calls.spans >= maxCallSpans)) return;
    calls.spans += 1;
    const attributes = compact({
      ...typeOf[notes.service],
      "server.address": targets[notes.service],
      // The exporter converts the first to the result code of HTTP dependencies, and sends the second as a property.
      "http.response.status_code": notes.status,
      "response.status": notes.status,
      "face.request_id": notes.requestIds.length > 0 ? notes.requestIds.join(" ") : undefined,
      requests: notes.requests,
    });
    const span = tracer.startSpan(notes.name, { kind: SpanKind.CLIENT, startTime, attributes }, parent);
    if (failed) fail(span, error);
    else if (error instanceof ApiError) span.setAttribute("error.code", error.code);
    span.end(now());
  }

  function note(facts: Facts, hasFailed = false): void {
    const span = scope.getStore()?.span;
    span?.setAttributes(compact(facts));
    if (hasFailed) span?.setStatus({ code: SpanStatusCode.ERROR });
  }

  function noteSession(sessionId: string): void {
    const current = scope.getStore();
    if (current?.isRequest) current.span.setAttribute("liveness.session_id", sessionId);
  }

  function observeRequest() {
    const notes = scope.getStore()?.call;
    const start = performance.now();
    let isOver = false;
    return (status?: number, requestId?: string) => {
      if (notes === undefined || isOver) return;
      isOver = true;
      notes.requests += 1;
      notes.status = status;
      if (requestId !== undefined) notes.requestIds.push(requestId);
      // The status is absent if there was no response.
      if (notes.service === "face") {
        measure("face.duration", performance.now() - start, { operation: notes.name, status });
      }
    };
  }

  function measure(metric: MetricName, value: number, facts: Facts = {}): void {
    instruments.get(metric)?.(value, compact(facts));
  }
}

/** Context with the host's request as the parent span. */
function contextOf(traceParent: string | undefined): Context {
  const [, traceId = "", spanId = "", flags = "00"] =
    /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(traceParent ?? "") ?? [];
  const spanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(spanContext) ? trace.setSpanContext(ROOT_CONTEXT, spanContext) : ROOT_CONTEXT;
}

/** Every error of a Face call is a failure of Face. In a storage call, an `ApiError` below 500 is a refusal by the rules. */
function isFailureOf({ service }: ServiceCall, error: unknown): boolean {
  return service === "face" || !(error instanceof ApiError) || error.status >= 500;
}

/** Sets the error's code or name only: messages may contain data of the request. */
function fail(span: Span, error: unknown): void {
  const type = error instanceof ApiError ? error.code : error instanceof Error ? error.name : typeof error;
  span.setAttribute("error.code", type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

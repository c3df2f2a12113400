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
import { ApiError } from "../errors.ts";
import { type Facts, type MetricName, metrics, type ServiceCall, type Telemetry } from "./telemetry.ts";

/** What an invocation, or a call in it, knows of itself. */
interface Scope {
  span: Span;
  isRequest: boolean;
  parent: Context;
  /** Calls of the invocation so far, of which each had a span. */
  calls: { spans: number };
  call?: CallNotes;
}

interface CallNotes extends ServiceCall {
  requests: number;
  /** Of the last request. */
  status?: number | undefined;
  requestIds: string[];
}

/**
 * A run of the timer may make hundreds of thousands of calls, all of one trace. Of what comes after so many, only what
 * fails is told.
 */
const maxCallSpans = 500;

/**
 * How Application Insights is to show a call: the exporter tells its type by one of these attributes. Which method it is
 * does not show; that there is one makes it a call by HTTP, with a result code.
 */
const typeOf: Record<ServiceCall["service"], Attributes> = {
  face: { "http.request.method": "POST" },
  tables: { "db.system": "azure.tables" },
  blobs: { "db.system": "azure.blobs" },
};

/** Who is called, as hosts. */
export type Targets = Record<ServiceCall["service"], string>;

/** Telemetry by means of OpenTelemetry's interfaces. `now` tells milliseconds since the epoch. */
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
      const told = { unit, description };
      if (type === "counter") {
        const counter = meter.createCounter(name, told);
        return [name, (value: number, facts: Attributes) => counter.add(value, facts)] as const;
      }
      const instrument = type === "gauge" ? meter.createGauge(name, told) : meter.createHistogram(name, told);
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

  function call<T>(asked: ServiceCall, run: () => T): T {
    const outer = scope.getStore();
    if (outer === undefined) return run();
    const notes: CallNotes = { ...asked, requests: 0, requestIds: [] };
    const startTime = now();
    const result = scope.run({ ...outer, call: notes }, run);
    if (!(result instanceof Promise)) return result;
    result.then(
      () => finish(outer, notes, startTime),
      (error: unknown) => finish(outer, notes, startTime, error ?? new Error("Unknown")),
    );
    return result;
  }

  function finish({ span: work, parent, calls }: Scope, notes: CallNotes, startTime: number, error?: unknown): void {
    // Of a trace that is not kept, no part is.
    if (!work.isRecording()) return;
    const failed = error !== undefined && isFailureOf(notes, error);
    if (!failed && (notes.requests === 0 || calls.spans >= maxCallSpans)) return;
    calls.spans += 1;
    const attributes = compact({
      ...typeOf[notes.service],
      "server.address": targets[notes.service],
      // The first becomes the result code, where there is one; the second stays as it is.
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
      // Without a status where no answer came.
      if (notes.service === "face") {
        measure("face.duration", performance.now() - start, { operation: notes.name, status });
      }
    };
  }

  function measure(metric: MetricName, value: number, facts: Facts = {}): void {
    instruments.get(metric)?.(value, compact(facts));
  }
}

/** The host's request, as the parent of what is done for it. */
function contextOf(traceParent: string | undefined): Context {
  const [, traceId = "", spanId = "", flags = "00"] =
    /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(traceParent ?? "") ?? [];
  const spanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(spanContext) ? trace.setSpanContext(ROOT_CONTEXT, spanContext) : ROOT_CONTEXT;
}

/** A refusal that the rules make inside a call to storage is none of storage's; Face's own answer always is Face's. */
function isFailureOf({ service }: ServiceCall, error: unknown): boolean {
  return service === "face" || !(error instanceof ApiError) || error.status >= 500;
}

/** By code or name alone: messages may quote what was sent. */
function fail(span: Span, error: unknown): void {
  const type = error instanceof ApiError ? error.code : error instanceof Error ? error.name : typeof error;
  span.setAttribute("error.code", type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function compact(facts: Facts): Attributes {
  const attributes: Attributes = {};
  for (const name in facts) {
    const value = facts[name];
    if (value !== undefined) attributes[name] = value;
  }
  return attributes;
}

/**
 * Interface to telemetry, independent of the backend; `start-telemetry.ts` connects one. If telemetry is not configured, no
 * `Telemetry` object exists, and handlers and services are not wrapped.
 */

/** Ids, codes, counts, and names from the settings. Never secrets of callers or personal data. */
export type Facts = Record<string, string | number | boolean | undefined>;

export interface Invocation {
  functionName: string;
  /** True for an HTTP request, which concerns at most one session; false for a run of the timer. */
  isRequest: boolean;
  invocationId: string;
  /** W3C `traceparent` of the host's request, the parent of the invocation's span. */
  traceParent?: string | undefined;
}

/** A call of a service by one of the app's operations. */
export interface ServiceCall {
  /** Such as `face.create` or `sessions.update`. */
  name: string;
  service: "face" | "tables" | "blobs";
}

/**
 * Called when an HTTP request of a call is sent. The returned callback is called at the end of the request, with the
 * status and the service's request id, or without arguments if there was no response. Only the first call of the callback
 * counts.
 */
export type RequestObserver = () => (status?: number, requestId?: string) => void;

/** All metrics with their units. Counters are summed; gauges and histograms record single values. */
export const metrics = {
  "liveness.creations": { type: "counter", unit: "{session}", description: "Sessions opened" },
  "liveness.attempts": { type: "counter", unit: "{attempt}", description: "Attempts recorded" },
  "liveness.decisions": {
    type: "counter",
    unit: "{decision}",
    description: "Decisions recorded, counted again when changed",
  },
  "liveness.reasons": { type: "counter", unit: "{reason}", description: "Reasons of the decisions recorded" },
  "face.duration": { type: "histogram", unit: "ms", description: "Duration of a request to the Face service" },
  "maintenance.sessions": { type: "counter", unit: "{session}", description: "Sessions by action of the timer" },
  "maintenance.events": { type: "counter", unit: "{event}", description: "Events by action of the timer" },
  "maintenance.duration": { type: "histogram", unit: "s", description: "Duration of a run of the timer" },
  "maintenance.oldest_due_age": { type: "gauge", unit: "s", description: "Time since the oldest due row became due" },
} as const;

export type MetricName = keyof typeof metrics;

export interface Telemetry {
  /** Runs an invocation in a span, a child of the host's request. */
  invocation<T>(invocation: Invocation, run: () => Promise<T>): Promise<T>;
  /** Runs a call of a service in a span. A successful call without an HTTP request creates no span. */
  call<T>(call: ServiceCall, run: () => T): T;
  /** Adds attributes to the invocation's span, and marks it as failed if `hasFailed`. */
  note(facts: Facts, hasFailed?: boolean): void;
  /** Adds the session id to a request's span. */
  noteSession(sessionId: string): void;
  /** Passed to the HTTP clients of the services. */
  observeRequest: RequestObserver;
  measure(metric: MetricName, value: number, facts?: Facts): void;
  /** Sends pending telemetry. Never throws. */
  shutdown(): Promise<void>;
}

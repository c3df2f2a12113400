/**
 * What the app tells of its work, where somebody has asked for that: see `start-telemetry.ts`. Nothing here knows who
 * takes it. Without telemetry there is no object of this kind, and nothing is wrapped or counted.
 */

/** Ids, codes, counts, and names from the settings: nothing that a caller sent as a secret, and nothing of a person. */
export type Facts = Record<string, string | number | boolean | undefined>;

export interface Invocation {
  functionName: string;
  /** About one session at most: a request. Else a run of the timer. */
  isRequest: boolean;
  invocationId: string;
  /** W3C `traceparent` of the host's own request, under which the app's work is shown. */
  traceParent?: string | undefined;
}

/** A call of a service, under the name of our own operation. */
export interface ServiceCall {
  /** Such as `face.create` or `sessions.reserve`. */
  name: string;
  service: "face" | "tables" | "blobs";
}

/**
 * ClientReport of each HTTP request of a call when it is sent. What it answers is told how the request ended: its status and the
 * service's request id, or neither where no answer came. Only the first of these counts.
 */
export type RequestObserver = () => (status?: number, requestId?: string) => void;

/** Everything that is measured, each in its unit. Counters add up; the others are taken as they are. */
export const metrics = {
  "liveness.creations": { type: "counter", unit: "{session}", description: "Sessions opened" },
  "liveness.attempts": { type: "counter", unit: "{attempt}", description: "Attempts recorded" },
  "liveness.decisions": { type: "counter", unit: "{decision}", description: "Decisions recorded, changed ones again" },
  "liveness.reasons": { type: "counter", unit: "{reason}", description: "Reasons of the decisions recorded" },
  "face.duration": { type: "histogram", unit: "ms", description: "Time the Face service took for a request" },
  "maintenance.sessions": { type: "counter", unit: "{session}", description: "Sessions by what the timer did" },
  "maintenance.duration": { type: "histogram", unit: "s", description: "Time a run of the timer took" },
  "maintenance.oldest_due_age": { type: "gauge", unit: "s", description: "How long the oldest row was due" },
} as const;

export type MetricName = keyof typeof metrics;

export interface Telemetry {
  /** Runs a function's work as a span under the host's request. */
  invocation<T>(invocation: Invocation, run: () => Promise<T>): Promise<T>;
  /** Runs a call of a service as a span of the invocation. One that has asked nobody leaves none, unless it fails. */
  call<T>(call: ServiceCall, run: () => T): T;
  /** Adds to what is told of the invocation, and where it has failed, that. */
  note(facts: Facts, hasFailed?: boolean): void;
  /** Tells which session a request is about. */
  noteSession(sessionId: string): void;
  /** For the clients of the services. */
  observeRequest: RequestObserver;
  measure(metric: MetricName, value: number, facts?: Facts): void;
  /** Sends what has not been sent. Never throws. */
  shutdown(): Promise<void>;
}

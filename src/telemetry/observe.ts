import type { InvocationContext, TimerHandler } from "@azure/functions";
import type { RequestHandler } from "../http/endpoint.ts";
import type { Creations } from "../liveness/model/creations.ts";
import type { Ports, Stores } from "../liveness/model/ports.ts";
import type { SessionRecord } from "../liveness/model/session.ts";
import type { Sessions } from "../liveness/model/sessions.ts";
import type { MaintenanceSummary } from "../liveness/retain/maintain.ts";
import type { Invocation, ServiceCall, Telemetry } from "./telemetry.ts";

type Services = Pick<Ports, keyof Stores | "face" | "images" | "bookmarks">;

/** Wraps the services: each call is a span `{service}.{method}`, and creations, attempts and decisions are counted. */
export function observeServices<T extends Services>(services: T, telemetry: Telemetry): T {
  const tables = <Port extends object>(name: string, port: Port) => named(telemetry, name, "tables", port);
  return {
    ...services,
    face: named(telemetry, "face", "face", services.face),
    creations: countCreations(telemetry, tables("creations", services.creations)),
    sessions: countOutcomes(telemetry, tables("sessions", services.sessions)),
    removals: tables("removals", services.removals),
    schedule: tables("schedule", services.schedule),
    devices: tables("devices", services.devices),
    sessionImages: tables("sessionImages", services.sessionImages),
    storedItems: tables("storedItems", services.storedItems),
    users: tables("users", services.users),
    outbox: tables("outbox", services.outbox),
    deliverySchedule: tables("deliverySchedule", services.deliverySchedule),
    outcomeIndex: tables("outcomeIndex", services.outcomeIndex),
    eventIndex: tables("eventIndex", services.eventIndex),
    images: named(telemetry, "images", "blobs", services.images),
    bookmarks: named(telemetry, "bookmarks", "blobs", services.bookmarks),
  };
}

/**
 * Wraps every method of a service in a span `{prefix}.{method}`. Each step of an async iterable has a span. If a property
 * of the service is an object, the object's methods are wrapped too, with the property's name as prefix.
 */
function named<T extends object>(telemetry: Telemetry, prefix: string, service: ServiceCall["service"], port: T): T {
  const observed = new Map<string, unknown>();
  return new Proxy(port, {
    get(target, property, receiver) {
      const value: unknown = Reflect.get(target, property, receiver);
      if (typeof property !== "string") return value;
      const known = observed.get(property);
      if (known !== undefined) return known;
      if (typeof value === "object" && value !== null) {
        const inner = named(telemetry, property, service, value);
        observed.set(property, inner);
        return inner;
      }
      if (typeof value !== "function") return value;
      const call = { name: `${prefix}.${property}`, service };
      const method = (...args: unknown[]) => {
        const result: unknown = telemetry.call(call, () => Reflect.apply(value, target, args));
        return isAsyncIterable(result) ? stepwise(telemetry, call, result) : result;
      };
      observed.set(property, method);
      return method;
    },
  });
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function* stepwise<T>(telemetry: Telemetry, call: ServiceCall, rows: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = rows[Symbol.asyncIterator]();
  const next = () => telemetry.call(call, () => iterator.next());
  try {
    for (let step = await next(); !step.done; step = await next()) yield step.value;
  } finally {
    await iterator.return?.();
  }
}

/** Counts creations at their commit. */
function countCreations(telemetry: Telemetry, creations: Creations): Creations {
  return Object.assign(Object.create(creations), {
    async commit(...[reserved, record]: Parameters<Creations["commit"]>) {
      const committed = await creations.commit(reserved, record);
      telemetry.noteSession(record.sessionId);
      if (committed) {
        const { kind, apiVersion, upstreamVersion } = record;
        telemetry.measure("liveness.creations", 1, { kind, apiVersion, upstreamVersion });
      }
      return committed;
    },
  } satisfies Partial<Creations>);
}

/** Counts attempts and decisions when they are written. */
function countOutcomes(telemetry: Telemetry, sessions: Sessions): Sessions {
  return Object.assign(Object.create(sessions), {
    async find(...[sessionId]: Parameters<Sessions["find"]>) {
      const stored = await sessions.find(sessionId);
      // Only ids of stored sessions reach the telemetry, because a caller may send any text as an id.
      if (stored !== undefined) telemetry.noteSession(sessionId);
      return stored;
    },
    cached(sessionId: string) {
      const stored = sessions.cached(sessionId);
      if (stored !== undefined) telemetry.noteSession(sessionId);
      return stored;
    },
    async update(...args: Parameters<Sessions["update"]>) {
      const [stored, record] = args;
      const written = await sessions.update(...args);
      if (written !== undefined) countOutcome(telemetry, stored.record, record);
      return written;
    },
  } satisfies Partial<Sessions>);
}

function countOutcome(telemetry: Telemetry, before: SessionRecord, after: SessionRecord): void {
  const { kind, decision } = after;
  const attempts = after.attempts - before.attempts;
  if (attempts > 0) telemetry.measure("liveness.attempts", attempts, { kind });
  if (decision === undefined || decision === before.decision) return;
  telemetry.measure("liveness.decisions", 1, { kind, decision });
  for (const reason of after.reasons) telemetry.measure("liveness.reasons", 1, { kind, decision, reason });
}

/** The handler of a function in a span with the response's status and error code. */
export function observeHttp(telemetry: Telemetry, handler: RequestHandler): RequestHandler {
  return (request, context) =>
    telemetry.invocation(invocationOf(context, true), async () => {
      const response = await handler(request, context);
      const { status, headers } = response;
      const facts = {
        "response.status": status,
        "error.code": headers["x-ms-error-code"],
        "face.request_id": headers["apim-request-id"],
      };
      telemetry.note(facts, status >= 500);
      return response;
    });
}

export function observeTimer(telemetry: Telemetry, handler: TimerHandler): TimerHandler {
  return (timer, context) => telemetry.invocation(invocationOf(context, false), async () => handler(timer, context));
}

function invocationOf(context: InvocationContext, isRequest: boolean): Invocation {
  const { functionName, invocationId, traceContext } = context;
  return { functionName, isRequest, invocationId, traceParent: traceContext?.traceParent };
}

/** Actions of the timer on a session, and failures. */
const results = ["collected", "pruned", "purged", "abandoned", "failed", "left"] as const;

/** Actions of the timer on an event, by the figure that counts them. */
const eventResults = {
  eventsListed: "listed",
  eventsDelivered: "delivered",
  eventsRetried: "retried",
  eventsGivenUp: "givenUp",
};

/** @param figures of a run, as its log line has them. */
export function measureMaintenance(
  telemetry: Telemetry,
  figures: Pick<MaintenanceSummary, (typeof results)[number]> &
    Record<keyof typeof eventResults | "oldestDueSeconds" | "seconds", number>,
): void {
  for (const result of results) {
    if (figures[result] > 0) telemetry.measure("maintenance.sessions", figures[result], { result });
  }
  for (const [figure, result] of Object.entries(eventResults)) {
    const events = figures[figure as keyof typeof eventResults];
    if (events > 0) telemetry.measure("maintenance.events", events, { result });
  }
  telemetry.measure("maintenance.duration", figures.seconds);
  telemetry.measure("maintenance.oldest_due_age", figures.oldestDueSeconds);
}

import type { SessionKind } from "../../face/model.ts";
import type { Place } from "./references.ts";
import type { Decision } from "./session.ts";

/** What events announce. Consumers ignore types that they do not know. */
export const eventTypes = [
  "liveness.session.decided",
  "liveness.device.locked_out",
  "liveness.device.erased",
  "liveness.user.erased",
  "liveness.webhook.test",
] as const;
export type EventType = (typeof eventTypes)[number];

/** An event as it is delivered. Its order is not guaranteed: `revision` in the data of a session's events grows. */
export interface LivenessEvent {
  /** UUID. A repeated delivery has the same id. */
  id: string;
  type: EventType;
  /** RFC 3339, UTC. */
  occurredOn: string;
  /** `sessions/{sessionId}`, where the event is about a session. */
  subject?: string;
  /** Ids, kind, decision, reasons: never an image, token, digest, address or claim. */
  data: Record<string, unknown>;
}

/** Locates a stored event. */
export interface EventRef {
  id: string;
  occurredOn: string;
  place: Place;
}

/** A decided session, as the lists across devices show and filter it. */
export interface OutcomeEntry {
  creationId: string;
  createdOn: string;
  /** Of the session's record. */
  place: Place;
  sessionId: string;
  kind: SessionKind;
  apiVersion: string;
  deviceCorrelationId?: string;
  userCorrelationId?: string;
  clientReferenceId?: string;
  decision: Decision;
  reasons: string[];
  final: boolean;
  /** Number of outcomes recorded for the session, from 1. */
  revision: number;
  /** When this outcome was recorded. RFC 3339. */
  settledOn: string;
}

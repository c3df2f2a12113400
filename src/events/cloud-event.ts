import { compact } from "../compact.ts";
import type { LivenessEvent } from "../liveness/model/events.ts";

/** An event in the format of CloudEvents 1.0, with its attributes and data in one JSON object. */
export interface CloudEvent {
  specversion: "1.0";
  id: string;
  /** URI reference. Together with `id`, unique. */
  source: string;
  type: string;
  /** RFC 3339. */
  time: string;
  subject?: string;
  datacontenttype: "application/json";
  data: Record<string, unknown>;
}

/** Media type of one event in JSON. */
export const cloudEventType = "application/cloudevents+json";

/** @param source URI reference of the app. */
export function toCloudEvent({ id, type, occurredOn, subject, data }: LivenessEvent, source: string): CloudEvent {
  return {
    specversion: "1.0",
    id,
    source,
    type,
    time: occurredOn,
    ...compact({ subject }),
    datacontenttype: "application/json",
    data,
  };
}

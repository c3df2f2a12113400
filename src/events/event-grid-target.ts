import { type HttpClient, isRestError } from "@azure/core-rest-pipeline";
import { EventGridPublisherClient } from "@azure/eventgrid";
import type { TokenCredential } from "@azure/identity";
import { compact } from "../compact.ts";
import type { Clock } from "../liveness/model/clock.ts";
import type { LivenessEvent } from "../liveness/model/events.ts";
import { withTimeout } from "../retry.ts";
import { toCloudEvent } from "./cloud-event.ts";
import type { DeliveryResult, DeliveryTarget } from "./delivery-target.ts";
import { causeOf, deliveryTimeoutMs, refused, Timeout } from "./results.ts";
import { eventGridName } from "./webhook-endpoint.ts";

export interface EventGridTargetOptions {
  /** https URL of the topic, which ends in `/api/events`. */
  topicEndpoint: string;
  /** `source` of the events. */
  source: string;
  credential: TokenCredential;
  now: Clock;
  /** Timeout of one delivery in ms, the request for a token included. Default: 15,000. */
  timeoutMs?: number;
  /** Default: that of the library. */
  httpClient?: HttpClient;
}

/** An Event Grid topic with the CloudEvents schema. This file loads the library, so it is loaded only if a topic is set. */
export function createEventGridTarget(options: EventGridTargetOptions): DeliveryTarget {
  const { topicEndpoint, source, credential, now, timeoutMs = deliveryTimeoutMs, httpClient } = options;
  const client = new EventGridPublisherClient(topicEndpoint, "CloudEvent", credential, {
    // The app repeats failed deliveries by its own schedule.
    retryOptions: { maxRetries: 0 },
    // The service does not redirect, and the token must not reach another host.
    redirectOptions: { maxRetries: 0 },
    ...compact({ httpClient }),
  });

  async function publish(event: LivenessEvent, abortSignal: AbortSignal): Promise<DeliveryResult> {
    const { specversion: _, time, ...content } = toCloudEvent(event, source);
    await client.send([{ ...content, time: new Date(time) }], { abortSignal });
    return { outcome: "delivered" };
  }

  function resultOf(error: unknown): DeliveryResult {
    const { status, retryAfter } = answerOf(error);
    // The topic accepted the event, and the library failed to parse the body of the answer, which has no meaning.
    if (status !== undefined && status >= 200 && status <= 299) return { outcome: "delivered" };
    if (status !== undefined) return refused(status, retryAfter, now());
    // An error's message can contain addresses and ids of the identity.
    const isTokenError = error instanceof Error && /Credential|Authentication/.test(error.name);
    return { outcome: "retry", cause: isTokenError ? "NoToken" : causeOf(error) };
  }

  return {
    name: eventGridName,
    accepts: () => true,
    async deliver(event, signal) {
      try {
        return await withTimeout(
          timeoutMs,
          () => new Timeout(),
          (abort) => publish(event, abort),
          signal,
        );
      } catch (error) {
        return signal?.aborted ? { outcome: "retry", cause: "Aborted" } : resultOf(error);
      }
    },
  };
}

/** The answer of the topic that an error of the library carries, if there was one. */
function answerOf(error: unknown): { status?: number; retryAfter?: string | undefined } {
  return isRestError(error) && error.response
    ? { status: error.response.status, retryAfter: error.response.headers.get("retry-after") }
    : {};
}

import { lookup } from "node:dns";
import { Webhook } from "standardwebhooks";
import type { Clock } from "../liveness/model/clock.ts";
import type { LivenessEvent } from "../liveness/model/events.ts";
import { withTimeout } from "../retry.ts";
import { AddressNotAllowed, isPublicAddress, type Resolve, shareLookups } from "./addresses.ts";
import { cloudEventType, toCloudEvent } from "./cloud-event.ts";
import type { DeliveryResult, DeliveryTarget } from "./delivery-target.ts";
import type { EndpointSwitch } from "./endpoint-states.ts";
import { type Answer, postWebhook } from "./post-webhook.ts";
import { causeOf, deliveryTimeoutMs, refused, Timeout } from "./results.ts";
import { accepts, type WebhookEndpoint } from "./webhook-endpoint.ts";

export interface WebhookTargetOptions {
  endpoint: WebhookEndpoint;
  /** `source` of the events. */
  source: string;
  /** Whether the endpoint may have a loopback or private address. */
  allowsPrivateAddresses: boolean;
  states: EndpointSwitch;
  now: Clock;
  /** Timeout of one delivery in ms, from the first look-up to the end of the answer. Default: 15,000. */
  timeoutMs?: number;
  /** Default: that of the system. */
  resolve?: Resolve;
}

/** Thrown if the states of endpoints cannot be read: the endpoint may be disabled. */
class StatesUnavailable extends Error {
  override name = "StatesUnavailable";
}

/** An endpoint that receives CloudEvents with the headers of Standard Webhooks. */
export function createWebhookTarget(options: WebhookTargetOptions): DeliveryTarget {
  const { endpoint, source, allowsPrivateAddresses, states, now } = options;
  const { timeoutMs = deliveryTimeoutMs } = options;
  const resolve = shareLookups(options.resolve ?? lookup);
  const isAllowed = (address: string) => allowsPrivateAddresses || isPublicAddress(address);
  const signers = endpoint.secrets.map((secret) => new Webhook(secret));

  function headersOf(id: string, body: string): Record<string, string> {
    const at = new Date(now());
    return {
      "content-type": cloudEventType,
      "user-agent": "face-liveness-functions",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": signers.map((signer) => signer.sign(id, at, body)).join(" "),
    };
  }

  function resultOf({ status, retryAfter }: Answer): DeliveryResult {
    if (status >= 200 && status <= 299) return { outcome: "delivered" };
    if (status === 410) return { outcome: "gone" };
    return refused(status, retryAfter, now());
  }

  async function deliver(event: LivenessEvent, signal?: AbortSignal): Promise<DeliveryResult> {
    // The status alone decides: a slow body, or a connection that breaks off in the body, is no failure.
    let answered: DeliveryResult | undefined;
    const attempt = async (abort: AbortSignal): Promise<DeliveryResult> => {
      const isDisabled = await states.isDisabled(endpoint).catch(() => Promise.reject(new StatesUnavailable()));
      if (isDisabled) return { outcome: "gone" };
      const body = JSON.stringify(toCloudEvent(event, source));
      const headers = headersOf(event.id, body);
      const answer = await postWebhook(endpoint.url, { headers, body, isAllowed, resolve, signal: abort });
      answered = resultOf(answer);
      // If the write fails, the receiver answers the next event with 410, and the write is repeated.
      if (answered.outcome === "gone") await states.disable(endpoint);
      await answer.closed;
      return answered;
    };
    try {
      return await withTimeout(timeoutMs, () => new Timeout(), attempt, signal);
    } catch (error) {
      return answered ?? { outcome: "retry", cause: signal?.aborted ? "Aborted" : causeOfFailure(error) };
    }
  }

  return { name: endpoint.name, accepts: (type) => accepts(endpoint, type), deliver };
}

function causeOfFailure(error: unknown): string {
  const isNamed = error instanceof AddressNotAllowed || error instanceof StatesUnavailable;
  return isNamed ? error.name : causeOf(error);
}

import type { Clock } from "../liveness/model/clock.ts";
import type { DeliveryTarget } from "./delivery-target.ts";
import { createEndpointSwitch, type EndpointStates } from "./endpoint-states.ts";
import { accepts, eventGridName, type WebhookEndpoint } from "./webhook-endpoint.ts";

/** Configured receivers of events. */
export interface EventsConfig {
  /** `source` of all events: the app's name as a URI reference. */
  source: string;
  endpoints: WebhookEndpoint[];
  /** Endpoint of an Event Grid topic, https. */
  eventGridTopic?: string;
  /** On the local stack, endpoints may have loopback and private addresses. */
  allowsPrivateAddresses: boolean;
}

export interface TargetDeps {
  states: EndpointStates;
  now: Clock;
  /** Connects to the Event Grid topic; called for its first event. */
  connectEventGrid?: (options: { topicEndpoint: string; source: string }) => Promise<Pick<DeliveryTarget, "deliver">>;
}

/** All configured targets. The code that signs and sends is loaded at the first delivery. */
export function createTargets(config: EventsConfig, { states, now, connectEventGrid }: TargetDeps): DeliveryTarget[] {
  const { source, endpoints, eventGridTopic: topicEndpoint, allowsPrivateAddresses } = config;
  const shared = { source, allowsPrivateAddresses, states: createEndpointSwitch(states, now), now };
  const webhooks = endpoints.map((endpoint) =>
    loadedOnce({ name: endpoint.name, accepts: (type) => accepts(endpoint, type) }, async () => {
      const { createWebhookTarget } = await import("./webhook-target.ts");
      return createWebhookTarget({ ...shared, endpoint });
    }),
  );
  if (topicEndpoint === undefined || connectEventGrid === undefined) return webhooks;
  const topic = { name: eventGridName, accepts: () => true };
  return [...webhooks, loadedOnce(topic, () => connectEventGrid({ topicEndpoint, source }))];
}

function loadedOnce(
  target: Omit<DeliveryTarget, "deliver">,
  load: () => Promise<Pick<DeliveryTarget, "deliver">>,
): DeliveryTarget {
  let loaded: ReturnType<typeof load> | undefined;
  return {
    ...target,
    async deliver(event, signal) {
      try {
        loaded ??= load();
        return await (await loaded).deliver(event, signal);
      } catch {
        loaded = undefined;
        return { outcome: "retry", cause: "NotLoaded" };
      }
    },
  };
}

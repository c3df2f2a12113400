import type { Clock } from "../liveness/model/clock.ts";
import { fingerprint, type WebhookEndpoint } from "./webhook-endpoint.ts";

/** An endpoint whose receiver has answered 410, disabled for as long as its settings have this fingerprint. */
export interface DisabledEndpoint {
  name: string;
  fingerprint: string;
  /** RFC 3339. */
  disabledOn: string;
}

/** Stores disabled endpoints for all instances. Methods throw while storage is unavailable. */
export interface EndpointStates {
  disabled(): Promise<DisabledEndpoint[]>;
  /** Replaces an earlier entry of the same name. */
  disable(endpoint: DisabledEndpoint): Promise<void>;
}

/** Which endpoints are disabled, for one instance. */
export interface EndpointSwitch {
  isDisabled(endpoint: WebhookEndpoint): Promise<boolean>;
  disable(endpoint: WebhookEndpoint): Promise<void>;
}

/** Lifetime of the cached states in ms. Other instances send to a disabled endpoint for at most this long. */
const maxAgeMs = 60_000;

/** Reads the states of all endpoints with one query, at most once a minute. A failed read or write is not cached. */
export function createEndpointSwitch(states: EndpointStates, now: Clock): EndpointSwitch {
  let read: { at: number; fingerprints: Promise<Map<string, string>> } | undefined;

  async function load(): Promise<Map<string, string>> {
    return new Map((await states.disabled()).map((entry) => [entry.name, entry.fingerprint]));
  }

  function current(): Promise<Map<string, string>> {
    if (read === undefined || now() - read.at >= maxAgeMs) {
      const latest = { at: now(), fingerprints: load() };
      read = latest;
      latest.fingerprints.catch(() => {
        if (read === latest) read = undefined;
      });
    }
    return read.fingerprints;
  }

  return {
    isDisabled: async (endpoint) => (await current()).get(endpoint.name) === fingerprint(endpoint),
    async disable(endpoint) {
      const entry = { name: endpoint.name, fingerprint: fingerprint(endpoint) };
      await states.disable({ ...entry, disabledOn: new Date(now()).toISOString() });
      read = undefined;
    },
  };
}

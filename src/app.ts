import type { Config, SettingFault } from "./config.ts";
import type { DeliveryTarget } from "./events/delivery-target.ts";
import type { Ports } from "./liveness/model/ports.ts";
import type { Readiness } from "./liveness/readiness.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

/** The dependencies of all endpoints, created once by `compose.ts`. */
export interface App extends Ports {
  config: Config;
  readiness: Readiness;
  /** Receivers of events. */
  targets: readonly DeliveryTarget[];
  /** Absent if telemetry is not configured. */
  telemetry?: Telemetry;
}

/** The app, or the faults in its settings: then the functions are registered too, and answer 503. */
export type Composition = { app: App } | { faults: SettingFault[] };

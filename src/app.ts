import type { Config, SettingFault } from "./config.ts";
import type { Clock, DeviceStore, FaceService, ImageStore, NewId, SessionStore } from "./liveness/model/ports.ts";
import type { RowStore } from "./liveness/model/stored-rows.ts";
import type { Limits } from "./liveness/open/limits.ts";
import type { OpeningPolicy } from "./liveness/open/plan-session.ts";
import type { Readiness } from "./liveness/readiness.ts";
import type { DecisionRules } from "./liveness/result/record-result.ts";
import type { Retention } from "./liveness/retain/retention.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

/** The dependencies of all endpoints, created once by `compose.ts`. */
export interface App {
  config: Config;
  face: FaceService;
  sessions: SessionStore;
  devices: DeviceStore;
  images: ImageStore;
  rows: RowStore;
  readiness: Readiness;
  rules: DecisionRules;
  policy: OpeningPolicy;
  limits: Limits;
  retention: Retention;
  now: Clock;
  newId: NewId;
  /** Absent if telemetry is not configured. */
  telemetry?: Telemetry;
}

/** The app, or the faults in its settings: then the functions are registered too, and answer 503. */
export type Composition = { app: App } | { faults: SettingFault[] };

import type { Config, SettingFault } from "./config.ts";
import type { FaceService } from "./face/client/face-service.ts";
import type { Bookmarks } from "./liveness/model/bookmarks.ts";
import type { Clock, NewId } from "./liveness/model/clock.ts";
import type { Images } from "./liveness/model/images.ts";
import type { Limits } from "./liveness/open/limits.ts";
import type { OpeningPolicy } from "./liveness/open/plan-session.ts";
import type { Readiness } from "./liveness/readiness.ts";
import type { DecisionRules } from "./liveness/result/record-result.ts";
import type { Retention } from "./liveness/retain/retention.ts";
import type { TableStores } from "./storage/create-stores.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

/** Everything an endpoint may use, built once by `compose.ts`. */
export interface App extends TableStores {
  config: Config;
  face: FaceService;
  images: Images;
  bookmarks: Bookmarks;
  readiness: Readiness;
  rules: DecisionRules;
  policy: OpeningPolicy;
  limits: Limits;
  retention: Retention;
  now: Clock;
  newId: NewId;
  /** Absent if not configured. */
  telemetry?: Telemetry;
}

/** The app, or the settings that keep it from being built: the functions register all the same and answer 503. */
export type Composition = { app: App } | { faults: SettingFault[] };

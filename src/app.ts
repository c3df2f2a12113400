import type { Config, SettingFault } from "./config.ts";
import type { DeliveryTarget } from "./events/delivery-target.ts";
import type { FaceService } from "./face/client/face-service.ts";
import type { Bookmarks } from "./liveness/model/bookmarks.ts";
import type { Clock, NewId } from "./liveness/model/clock.ts";
import type { Publish } from "./liveness/model/events.ts";
import type { Images } from "./liveness/model/images.ts";
import type { Readiness } from "./liveness/readiness.ts";
import type { TableStores } from "./storage/create-stores.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

/** The dependencies of all endpoints, created once by `compose.ts`. */
export interface App extends TableStores, Pick<Config, "rules" | "policy" | "limits" | "retention"> {
  config: Config;
  face: FaceService;
  images: Images;
  bookmarks: Bookmarks;
  readiness: Readiness;
  now: Clock;
  newId: NewId;
  publish: Publish;
  /** Receivers of events. */
  targets: readonly DeliveryTarget[];
  /** Absent if telemetry is not configured. */
  telemetry?: Telemetry;
}

/** The app, or the faults in its settings: then the functions are registered too, and answer 503. */
export type Composition = { app: App } | { faults: SettingFault[] };

import type { FaceService } from "../../face/client/face-service.ts";
import type { Bookmarks } from "./bookmarks.ts";
import type { Clock, NewId } from "./clock.ts";
import type { Creations } from "./creations.ts";
import type { Devices } from "./devices.ts";
import type { DeliverySchedule, Outbox, Publish } from "./events.ts";
import type { Images } from "./images.ts";
import type { EventIndex, OutcomeIndex } from "./outcome-index.ts";
import type { Removals } from "./removals.ts";
import type { Schedule } from "./schedule.ts";
import type { SessionImages } from "./session-images.ts";
import type { Sessions } from "./sessions.ts";
import type { DecisionRules, Limits, OpeningPolicy, Retention } from "./settings.ts";
import type { StoredItems } from "./stored-items.ts";
import type { Users } from "./users.ts";

/** The ports to stored sessions and everything about them, apart from images. */
export interface Stores {
  creations: Creations;
  sessions: Sessions;
  removals: Removals;
  schedule: Schedule;
  devices: Devices;
  sessionImages: SessionImages;
  storedItems: StoredItems;
  users: Users;
  outbox: Outbox;
  deliverySchedule: DeliverySchedule;
  outcomeIndex: OutcomeIndex;
  eventIndex: EventIndex;
}

/** Everything that the functions of `src/liveness` use. Each function takes a part of it. */
export interface Ports extends Stores {
  face: FaceService;
  images: Images;
  bookmarks: Bookmarks;
  now: Clock;
  newId: NewId;
  publish: Publish;
  rules: DecisionRules;
  policy: OpeningPolicy;
  limits: Limits;
  retention: Retention;
}

import type { Stores } from "../liveness/model/ports.ts";
import type { StoredSession } from "../liveness/model/session.ts";
import type { StorageTables } from "./azure/table.ts";
import { createCreations, createWriteCache } from "./stores/creations.ts";
import { createDevices } from "./stores/devices.ts";
import { createEventIndex } from "./stores/event-index.ts";
import { createDeliverySchedule, createOutbox } from "./stores/outbox.ts";
import { createOutcomeIndex } from "./stores/outcome-index.ts";
import { createRemovals } from "./stores/removals.ts";
import { createSchedule } from "./stores/schedule.ts";
import { createSessionImages } from "./stores/session-images.ts";
import { createSessions } from "./stores/sessions.ts";
import { createStoredItems } from "./stores/stored-items.ts";
import { createUsers } from "./stores/users.ts";

/** All stores on tables, with one cache of the sessions that this process has committed. */
export function createTableStores(tables: StorageTables): Stores {
  const cache = createWriteCache<StoredSession>();
  const deliverySchedule = createDeliverySchedule(tables);
  return {
    creations: createCreations(tables, cache),
    sessions: createSessions(tables, cache),
    removals: createRemovals(tables, cache),
    schedule: createSchedule(tables),
    devices: createDevices(tables),
    sessionImages: createSessionImages(tables),
    storedItems: createStoredItems(tables),
    users: createUsers(tables),
    outbox: createOutbox(tables, deliverySchedule),
    deliverySchedule,
    outcomeIndex: createOutcomeIndex(tables),
    eventIndex: createEventIndex(tables),
  };
}

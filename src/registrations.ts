import { endpoints } from "./endpoints.ts";
import { maintenanceSchedule } from "./functions/maintain-sessions.ts";

/**
 * What a host is told of the functions: plain data, taken from where the functions are described. The build runs this
 * file and puts its exports into the bundle as they are, so that an instance that starts need not load the endpoints
 * with all their schemas to tell their names.
 */

export const httpFunctions = endpoints.map(({ name, methods, route }) => ({ name, methods, route }));

export const timers = [{ name: "maintainSessions", schedule: maintenanceSchedule }];

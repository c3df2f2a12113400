import { endpoints } from "./endpoints.ts";
import { maintenanceSchedule } from "./functions/maintain-sessions.ts";
import { answeredMethods } from "./http/endpoint.ts";

/**
 * What a host is told of the functions: plain data, taken from where the functions are described. The build runs this
 * file and puts its exports into the bundle as they are, so that an instance that starts need not load the endpoints
 * with all their schemas to tell their names.
 */

export const httpFunctions = endpoints.map((endpoint) => ({
  name: endpoint.name,
  methods: answeredMethods(endpoint),
  route: endpoint.route,
}));

export const timers = [{ name: "maintainSessions", schedule: maintenanceSchedule }];

import { endpoints } from "./endpoints.ts";
import { maintenanceSchedule } from "./functions/maintain-sessions.ts";
import { answeredMethods } from "./http/endpoint.ts";

/**
 * Registration data of all functions. The build evaluates this file and bundles its exports as plain data, so that an
 * instance can register the functions without loading the endpoints and their schemas.
 */

export const httpFunctions = endpoints.map((endpoint) => ({
  name: endpoint.name,
  methods: answeredMethods(endpoint),
  route: endpoint.route,
}));

export const timers = [{ name: "maintainSessions", schedule: maintenanceSchedule }];

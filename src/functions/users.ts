import * as z from "zod";
import { badArgument } from "../api-errors.ts";
import { isCorrelationId, maxCorrelationIdLength } from "../face/model.ts";
import { defineEndpoint, type Endpoint, resourceNotFound } from "../http/endpoint.ts";
import { listUserSessions } from "../liveness/result/visibility.ts";
import { eraseUser } from "../liveness/retain/erase-user.ts";
import { correlationId, idOf } from "./correlation-id.ts";
import { pageOf, paging } from "./session-pages.ts";

const userParams = z.object({
  userCorrelationId: correlationId.describe("The user, or `-` if the query contains its id."),
});
const userQuery = z.object({ userCorrelationId: correlationId.optional().describe("The user, if the path has `-`.") });
const pageQuery = userQuery.extend(paging);

/** Operations on all data of a user, on whatever device. */
export const userEndpoints: Endpoint[] = [
  defineEndpoint({
    name: "listUserOutcomes",
    summary: "List a user's sessions on all devices with their outcomes, newest first",
    methods: ["GET"],
    route: "api/users/{userCorrelationId}/outcomes",
    access: "callers",
    params: userParams,
    query: pageQuery,
    async handle(app, { params, query, caller, url }) {
      const page = await listUserSessions(app, caller, userOf(params, query), query);
      if (page === undefined) throw resourceNotFound();
      return { status: 200, json: pageOf(app, caller, url, page) };
    },
  }),
  defineEndpoint({
    name: "eraseUser",
    summary: "Erase a user's sessions on all devices, and the live ones at the Face service",
    methods: ["DELETE"],
    route: "api/users/{userCorrelationId}",
    access: "services",
    params: userParams,
    query: userQuery,
    async handle(app, { params, query }) {
      return { status: 200, json: await eraseUser(app, userOf(params, query)) };
    },
  }),
];

/** @throws ApiError 400 `BadArgument`. */
function userOf(params: z.infer<typeof userParams>, query: z.infer<typeof userQuery>): string {
  const user = idOf(params.userCorrelationId, query.userCorrelationId);
  if (!isCorrelationId(user)) {
    const message = `Must be 1 to ${maxCorrelationIdLength} characters of well-formed Unicode.`;
    throw badArgument([{ code: "InvalidValue", message, target: "userCorrelationId" }]);
  }
  return user;
}

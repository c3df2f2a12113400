import type { Codec } from "../../../src/face/codec.ts";
import { sessionKinds } from "../../../src/face/model.ts";
import { clientAssetsTokenPath, settingsPath } from "../../../src/face/versions/settings.ts";
import {
  createSession,
  deleteSession,
  type FaceCall,
  getSession,
  getSessionImage,
  listAuditEntries,
  listSessions,
} from "./face-operations.ts";
import type { Operation } from "./faults.ts";
import type { Reply } from "./http.ts";
import { getClientAssetsToken, getSettings, patchSettings } from "./resource-settings.ts";

export interface FaceRoute {
  codec: Codec;
  method: string;
  /** Segments of the path below the host. An undefined one is the id. */
  segments: (string | undefined)[];
  operation: Operation;
  handle(call: FaceCall): Promise<Reply> | Reply;
}

/** All routes of one version of the service, with the paths of its codec. */
export function makeFaceRoutes(codec: Codec): FaceRoute[] {
  const { paths } = codec;
  const route = (method: string, path: string, operation: Operation, handle: FaceRoute["handle"]): FaceRoute => ({
    codec,
    method,
    segments: `/face/${codec.version}${path}`.split("/").map((segment) => (segment === anyId ? undefined : segment)),
    operation,
    handle,
  });

  const routes: FaceRoute[] = [];
  for (const kind of sessionKinds) {
    const session = paths.session(kind, anyId);
    routes.push(
      route("POST", paths.sessions(kind), "create", (call) => createSession(kind, call)),
      route("GET", session, "get", (call) => getSession(kind, call)),
      route("DELETE", session, "delete", (call) => deleteSession(kind, call)),
    );
    if (codec.list) routes.push(route("GET", paths.sessions(kind), "list", (call) => listSessions(kind, call)));
    if (paths.audit) {
      routes.push(route("GET", paths.audit(kind, anyId), "audit", (call) => listAuditEntries(kind, call)));
    }
  }
  if (paths.sessionImage) routes.push(route("GET", paths.sessionImage(anyId), "image", getSessionImage));
  if (codec.hasSettings) {
    routes.push(
      route("GET", settingsPath, "settings", getSettings),
      route("PATCH", settingsPath, "patchSettings", patchSettings),
      route("GET", clientAssetsTokenPath, "clientAssetsToken", getClientAssetsToken),
    );
  }
  return routes;
}

/** Placeholder of the id in a path of a codec. */
const anyId = "00000000-0000-0000-0000-000000000000";

/**
 * The route of a request, and the id in its path. The case of the other segments does not matter, and a path may begin with
 * two slashes: the service's samples send both.
 */
export function matchRoute(
  routes: readonly FaceRoute[],
  method: string,
  path: string,
): { route: FaceRoute; id: string } | undefined {
  const given = path.replace(/^\/\//, "/").split("/");
  for (const route of routes) {
    const { segments } = route;
    const isMatch =
      route.method === method &&
      segments.length === given.length &&
      segments.every((segment, index) =>
        segment === undefined ? given[index] !== "" : segment.toLowerCase() === given[index]?.toLowerCase(),
      );
    if (isMatch) return { route, id: decodeSegment(given[segments.indexOf(undefined)] ?? "") };
  }
  return undefined;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

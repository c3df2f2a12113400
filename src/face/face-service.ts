import type { FaceService } from "../liveness/ports.ts";
import { createFaceClient, type FaceClient, type FaceClientOptions } from "./face-client.ts";
import { type ApiVersion, apiVersions } from "./model.ts";

/**
 * The Face service for the rules: sessions are opened in the configured version, and each is watched and revoked in the
 * version it was opened in, so that the configuration can move on while sessions live.
 */
export function createFaceService(options: FaceClientOptions): FaceService {
  const clients = new Map<ApiVersion, FaceClient>();
  function client(apiVersion: ApiVersion): FaceClient {
    const known = clients.get(apiVersion) ?? createFaceClient({ ...options, apiVersion });
    clients.set(apiVersion, known);
    return known;
  }
  const current = client(options.apiVersion);
  return {
    version: options.apiVersion,
    create: (kind, request, image) => current.create(kind, request, image),
    get: ({ upstreamVersion, kind, sessionId }, options) => client(upstreamVersion).get(kind, sessionId, options),
    revoke: ({ upstreamVersion, kind, sessionId }, options) => client(upstreamVersion).revoke(kind, sessionId, options),
    async sessionImage(sessionImageId) {
      // An image does not tell which version its session was opened in.
      for (const version of new Set([options.apiVersion, ...apiVersions.toReversed()])) {
        const image = await client(version).sessionImage(sessionImageId);
        if (image !== undefined) return image;
      }
      return undefined;
    },
    probe: () => current.probe(),
  };
}

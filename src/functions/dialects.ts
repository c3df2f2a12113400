import * as z from "zod";
import { ApiError } from "../errors.ts";
import type { Codec } from "../face/codec.ts";
import { codecs } from "../face/codecs.ts";
import { type ApiVersion, apiVersions, type SessionKind, sessionKinds } from "../face/model.ts";

/** Versions that share their paths. */
export interface Dialect {
  versions: readonly ApiVersion[];
  /** Ends the names of the functions, which must differ where the routes do. */
  suffix: string;
  /** Route of the sessions of one kind. */
  sessions(kind: SessionKind): string;
  sessionImages: string;
}

const pathOf: Record<SessionKind, string> = {
  liveness: "detectLiveness",
  livenessWithVerify: "detectLivenessWithVerify",
};

/** How each kind is named in the operations' ids. */
export const operationOf: Record<SessionKind, string> = {
  liveness: "LivenessSession",
  livenessWithVerify: "LivenessWithVerifySession",
};

export const stable: Dialect = {
  versions: ["v1.2"],
  suffix: "",
  sessions: (kind) => `face/{apiVersion}/${pathOf[kind]}-sessions`,
  sessionImages: "face/{apiVersion}/sessionImages/{sessionImageId}",
};

export const previews: Dialect = {
  versions: ["v1.1-preview.1", "v1.2-preview.1"],
  suffix: "Preview",
  sessions: (kind) => `face/{apiVersion}/${pathOf[kind]}/singleModal/sessions`,
  sessionImages: "face/{apiVersion}/session/sessionImages/{sessionImageId}",
};

const dialects = [stable, previews];

/** Whether a route is one of the version's operations. */
export function isSpokenIn(version: ApiVersion, route: string): boolean {
  const { sessions, sessionImages } = dialectOf(version);
  if (route === sessionImages) return codecs[version].paths.sessionImage !== undefined;
  return sessionKinds.some((kind) => isBelow(sessions(kind), route));
}

/** A route of any dialect in the words of the version's own: where an app would look for it that has changed its version. */
export function translateRoute(version: ApiVersion, route: string): string {
  const own = dialectOf(version);
  for (const { sessions, sessionImages } of dialects) {
    if (route === sessionImages) return own.sessionImages;
    for (const kind of sessionKinds) {
      if (isBelow(sessions(kind), route)) return own.sessions(kind) + route.slice(sessions(kind).length);
    }
  }
  return route;
}

function dialectOf(version: ApiVersion): Dialect {
  return stable.versions.includes(version) ? stable : previews;
}

function isBelow(root: string, route: string): boolean {
  return route === root || route.startsWith(`${root}/`);
}

export const versionParams = z.object({ apiVersion: z.string() });
export const sessionParams = versionParams.extend({ sessionId: z.string() });

/**
 * The codec of the version in the path.
 *
 * @throws ApiError 404 `UnsupportedApiVersion` where the version is not spoken, or not with this path.
 */
export function codecFor(dialect: Dialect, apiVersion: string): Codec {
  const version = dialect.versions.find((known) => known === apiVersion);
  if (version === undefined) throw unsupportedVersion(dialect);
  return codecs[version];
}

/** 404 that names the versions in which the path is spoken, and all others. */
export function unsupportedVersion(dialect: Dialect, versions: readonly ApiVersion[] = dialect.versions): ApiError {
  return new ApiError(
    404,
    "UnsupportedApiVersion",
    `This path is spoken in ${versions.join(" and ")}; versions supported at all: ${apiVersions.join(", ")}.`,
  );
}

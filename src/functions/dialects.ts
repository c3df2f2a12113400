import * as z from "zod";
import { ApiError } from "../errors.ts";
import type { Codec } from "../face/codec.ts";
import { type ApiVersion, apiVersions, type SessionKind } from "../face/model.ts";
import { codecs } from "../face/versions/codecs.ts";

/** Versions of the Face API with the same paths. */
export interface Dialect {
  versions: readonly ApiVersion[];
  /** Suffix of function names, which must differ if the routes differ. */
  suffix: string;
  /** Route of the sessions of a kind. */
  sessions(kind: SessionKind): string;
  sessionImages: string;
}

const pathOf: Record<SessionKind, string> = {
  liveness: "detectLiveness",
  livenessWithVerify: "detectLivenessWithVerify",
};

/** Name of each kind in operation ids. */
export const operationOf: Record<SessionKind, string> = {
  liveness: "LivenessSession",
  livenessWithVerify: "LivenessWithVerifySession",
};

export const stable: Dialect = {
  versions: ["v1.2", "v1.3-preview.1"],
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

export const versionParams = z.object({ apiVersion: z.string() });
export const sessionParams = versionParams.extend({ sessionId: z.string().describe("Id from the creation.") });

/**
 * The codec of the version in the path.
 *
 * @throws ApiError 404 `UnsupportedApiVersion` if the version does not exist or does not have this path.
 */
export function codecFor(dialect: Dialect, apiVersion: string): Codec {
  // The host compares the other segments of a path without regard to case.
  const version = dialect.versions.find((known) => known === apiVersion.toLowerCase());
  if (version === undefined) throw unsupportedVersion(dialect);
  return codecs[version];
}

/** 404 that names the versions that have the path, and all supported versions. */
export function unsupportedVersion(dialect: Dialect, versions: readonly ApiVersion[] = dialect.versions): ApiError {
  return new ApiError(
    404,
    "UnsupportedApiVersion",
    `This path exists in ${versions.join(" and ")}; supported versions: ${apiVersions.join(", ")}.`,
  );
}

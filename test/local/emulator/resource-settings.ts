import { randomBytes } from "node:crypto";
import { invalidMediaType } from "../../../src/api-errors.ts";
import { parseRequest } from "../../../src/face/versions/request-fields.ts";
import { type ClientAssetsToken, type FaceSettings, faceSettingsChange } from "../../../src/face/versions/settings.ts";
import type { FaceCall } from "./face-operations.ts";
import { mediaType, parseJson, type Reply, readBody } from "./http.ts";

/** The settings of the Face resource and the token for its client assets: operations of v1.3-preview.1. */

/** Abuse monitoring is on until it is switched off, as in the service. */
export function defaultResourceSettings(): FaceSettings {
  return { livenessAbuseMonitoring: { enabled: true } };
}

export function getSettings({ state }: FaceCall): Reply {
  return { status: 200, json: structuredClone(state.resource) };
}

export async function patchSettings(call: FaceCall): Promise<Reply> {
  const { codec, state, request } = call;
  if (mediaType(request) !== "application/json") throw invalidMediaType();
  const body = parseJson(await readBody(request));
  const { livenessAbuseMonitoring } = parseRequest(codec.version, faceSettingsChange, body?.value);
  const { enabled } = livenessAbuseMonitoring ?? {};
  if (enabled !== undefined) state.resource.livenessAbuseMonitoring.enabled = enabled;
  return getSettings(call);
}

const assetsTokenLifeMs = 3600 * 1000;

/** A new token at each call. The emulator does not keep it, since it serves no client assets. */
export function getClientAssetsToken({ state }: FaceCall): Reply {
  const accessToken = randomBytes(39).toString("base64url");
  const token: ClientAssetsToken = {
    expiry: new Date(state.clock.now() + assetsTokenLifeMs).toISOString(),
    accessToken,
    base64AccessToken: Buffer.from(accessToken).toString("base64"),
  };
  return { status: 200, json: token };
}

import * as z from "zod";

/** Settings of a Face resource in v1.3. Unknown fields are passed through. */

/** Below `{endpoint}/face/{version}`. */
export const settingsPath = "/settings";
export const clientAssetsTokenPath = `${settingsPath}/getClientAssetsAccessToken`;

const enabled = z
  .boolean({ error: "Must be true or false." })
  .describe("Applies to every app that uses the Face resource.");

export const faceSettings = z
  .looseObject({ livenessAbuseMonitoring: z.looseObject({ enabled }) })
  .meta({ id: "FaceSettings" });
export type FaceSettings = z.output<typeof faceSettings>;

/** A change: absent fields keep their values. Strict, since a misspelt field would change nothing without an error. */
export const faceSettingsChange = z
  .strictObject({ livenessAbuseMonitoring: z.strictObject({ enabled: enabled.optional() }).optional() })
  .meta({ id: "FaceSettingsChange" });
export type FaceSettingsChange = z.output<typeof faceSettingsChange>;

/** A credential for downloading the device SDK: never logged, stored or cached. */
export const clientAssetsToken = z
  .looseObject({
    expiry: z.string().describe("RFC 3339."),
    accessToken: z.string(),
    base64AccessToken: z.string().describe("The password for the npm feed of the device SDK."),
  })
  .meta({ id: "ClientAssetsToken" });
export type ClientAssetsToken = z.output<typeof clientAssetsToken>;

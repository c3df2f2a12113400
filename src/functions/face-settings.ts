import type { App } from "../app.ts";
import { compact } from "../compact.ts";
import { ApiError } from "../errors.ts";
import type { Answered, SettingsService } from "../face/client/face-service.ts";
import { codecs } from "../face/versions/codecs.ts";
import { parseRequest } from "../face/versions/request-fields.ts";
import { faceSettingsChange } from "../face/versions/settings.ts";
import { readRequestBody } from "../http/body.ts";
import { defineEndpoint, type Endpoint } from "../http/endpoint.ts";
import type { Reply } from "../http/responses.ts";
import { codecFor, type Dialect, stable, versionParams } from "./dialects.ts";

/** Operations on the Face resource itself, for trusted services only: a change applies to every app that uses the resource. */

const dialect: Dialect = { ...stable, versions: stable.versions.filter((version) => codecs[version].hasSettings) };
const route = "face/{apiVersion}/settings";

const shared = { access: "services", params: versionParams, versions: dialect.versions } as const;

export const faceSettingsEndpoints: Endpoint[] = [
  defineEndpoint({
    ...shared,
    name: "getFaceSettings",
    summary: "Read the settings of the Face resource",
    methods: ["GET"],
    route,
    handle: async (app, { params }) => reply(await settingsOf(app, params.apiVersion).read()),
  }),
  defineEndpoint({
    ...shared,
    name: "changeFaceSettings",
    summary: "Change the settings of the Face resource, for every app that uses it",
    methods: ["PATCH"],
    route,
    async handle(app, { params, ...request }) {
      const settings = settingsOf(app, params.apiVersion);
      const body = await readRequestBody(request, ["json"]);
      const value = body.type === "json" ? body.value : undefined;
      return reply(await settings.change(parseRequest("v1.3-preview.1", faceSettingsChange, value)));
    },
  }),
  defineEndpoint({
    ...shared,
    name: "getClientAssetsAccessToken",
    summary: "Get a credential for downloading the device SDK",
    methods: ["GET"],
    route: `${route}/getClientAssetsAccessToken`,
    handle: async (app, { params }) => reply(await settingsOf(app, params.apiVersion).clientAssetsToken()),
  }),
];

/** @throws ApiError 404 `UnsupportedApiVersion`, also if the upstream version has no settings. */
function settingsOf({ face }: App, apiVersion: string): SettingsService {
  codecFor(dialect, apiVersion);
  if (face.settings !== undefined) return face.settings;
  const message = `Version ${face.version} of the Face API, which this deployment calls, has no settings.`;
  throw new ApiError(404, "UnsupportedApiVersion", message);
}

function reply({ value, requestId }: Answered<unknown>): Reply {
  return { status: 200, json: value, headers: compact({ "apim-request-id": requestId }) };
}

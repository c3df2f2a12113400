import * as z from "zod";
import { sessionImageNotFound } from "../api-errors.ts";
import { compact } from "../compact.ts";
import type { ApiVersion } from "../face/model.ts";
import { codecs } from "../face/versions/codecs.ts";
import { defineEndpoint, type Endpoint } from "../http/endpoint.ts";
import { maySeeImage } from "../liveness/result/visibility.ts";
import { codecFor, type Dialect, previews, stable, unsupportedVersion, versionParams } from "./dialects.ts";

const imageParams = versionParams.extend({ sessionImageId: z.string().describe("Id from the result of an attempt.") });

/** The image of an attempt, stored by the Face service for sessions with `enableSessionImage`, and never by the app. */
export const sessionImageEndpoints: Endpoint[] = [stable, previews].map(getSessionImage);

/** Wider than the ids that the service assigns. Other ids are answered without a call. */
const imageIdShape = /^[\w.-]{1,128}$/;

function versionsWithImages({ versions }: Dialect): ApiVersion[] {
  return versions.filter((version) => codecs[version].paths.sessionImage !== undefined);
}

function getSessionImage(dialect: Dialect): Endpoint {
  return defineEndpoint({
    name: `getSessionImage${dialect.suffix}`,
    summary: "Read the image of an attempt",
    methods: ["GET"],
    route: dialect.sessionImages,
    versions: versionsWithImages(dialect),
    access: "callers",
    params: imageParams,
    async handle(app, { params, caller }) {
      const codec = codecFor(dialect, params.apiVersion);
      if (codec.paths.sessionImage === undefined) {
        throw unsupportedVersion(dialect, versionsWithImages(dialect));
      }
      const { sessionImageId } = params;
      if (!imageIdShape.test(sessionImageId) || !(await maySeeImage(app, caller, sessionImageId))) {
        throw sessionImageNotFound();
      }
      const image = await app.face.sessionImage(sessionImageId);
      if (image === undefined) throw sessionImageNotFound();
      const { bytes, contentType } = image.value;
      return {
        status: 200,
        bytes,
        headers: compact({ "content-type": contentType, "apim-request-id": image.requestId }),
      };
    },
  });
}

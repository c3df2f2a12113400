import * as z from "zod";
import { sessionImageNotFound } from "../face/errors.ts";
import { defineEndpoint, type Endpoint, noQuery } from "../http/endpoint.ts";
import { codecFor, type Dialect, previews, stable, versionParams } from "./dialects.ts";

const imageParams = versionParams.extend({ sessionImageId: z.string() });

/** The image of an attempt, kept by the service where the session asked for it. Never stored here. */
export const sessionImageEndpoints: Endpoint[] = [stable, previews].map(getSessionImage);

function getSessionImage(dialect: Dialect): Endpoint {
  return defineEndpoint({
    name: `getSessionImage${dialect.suffix}`,
    summary: "Read the image that the service kept of an attempt",
    methods: ["GET"],
    route: dialect.sessionImages,
    access: "services",
    params: imageParams,
    query: noQuery,
    async handle(app, { params }) {
      const codec = codecFor(dialect, params.apiVersion);
      const image = codec.paths.sessionImage && (await app.face.sessionImage(params.sessionImageId));
      if (image === undefined) throw sessionImageNotFound();
      const { bytes, contentType } = image.value;
      return {
        status: 200,
        bytes,
        headers: {
          "content-type": contentType,
          ...(image.requestId !== undefined && { "apim-request-id": image.requestId }),
        },
      };
    },
  });
}

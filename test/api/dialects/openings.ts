import { randomUUID } from "node:crypto";
import type { ApiVersion, SessionKind } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import type { AppRequest } from "../support/app-client.ts";
import type { Dialect } from "./dialects.ts";

/** A way in which a session is opened, and what the emulator does meanwhile. */
export interface Opening {
  name: string;
  kind: SessionKind;
  /** Whether the image comes with the creation, or stays with the device. */
  image: "none" | "now" | "later";
  settings: { tokenInGet?: boolean; largeAuditIds?: boolean };
  request(dialect: Dialect, fields: object): AppRequest;
}

/** What each of these sessions compares with. */
export const image = makeImage();
/** Under this id the tests keep the image before they begin. */
export const heldId = `held-${randomUUID()}`;

export const openings: Opening[] = [
  {
    name: "liveness",
    kind: "liveness",
    image: "none",
    settings: { tokenInGet: true },
    request: (_dialect, json) => ({ json }),
  },
  {
    name: "verify with an uploaded image",
    kind: "livenessWithVerify",
    image: "now",
    settings: { tokenInGet: true },
    request: (dialect, fields) => ({ body: dialect.form(fields, image) }),
  },
  {
    name: "verify with a held image, and audit ids beyond 2^53",
    kind: "livenessWithVerify",
    image: "now",
    settings: { largeAuditIds: true },
    request: (_dialect, fields) => ({ json: { ...fields, referenceImageId: heldId } }),
  },
  {
    name: "verify with an image that the device submits",
    kind: "livenessWithVerify",
    image: "later",
    settings: {},
    request: (_dialect, json) => ({ json }),
  },
];

export const isPossible = ({ image }: Opening, dialect: Dialect, upstream: ApiVersion) =>
  image !== "later" || (dialect.isPreview && upstream !== "v1.2");

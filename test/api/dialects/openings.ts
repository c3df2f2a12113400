import { randomUUID } from "node:crypto";
import type { SessionKind } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import type { AppRequest } from "../support/app-client.ts";
import type { Dialect } from "./dialects.ts";

/** A way to open a session, with the settings of the emulator. */
export interface Opening {
  name: string;
  kind: SessionKind;
  /** The verify image: none, in the creation request, or in the device's attempt. */
  image: "none" | "now" | "later";
  settings: { tokenInGet?: boolean; largeAuditIds?: boolean };
  request(dialect: Dialect, fields: object): AppRequest;
}

/** The verify image of all sessions. */
export const image = makeImage();
/** The id under which the tests store the image first. */
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
    name: "verify with an image of the device",
    kind: "livenessWithVerify",
    image: "later",
    settings: {},
    request: (_dialect, json) => ({ json }),
  },
];

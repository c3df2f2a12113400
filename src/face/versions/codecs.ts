import type { Codec } from "../codec.ts";
import type { ApiVersion } from "../model.ts";
import { codec as v11Preview1 } from "./v1.1-preview.1.ts";
import { codec as v12 } from "./v1.2.ts";
import { codec as v12Preview1 } from "./v1.2-preview.1.ts";
import { codec as v13Preview1 } from "./v1.3-preview.1.ts";

/** The codecs of all supported versions. */
export const codecs: Record<ApiVersion, Codec> = {
  "v1.1-preview.1": v11Preview1,
  "v1.2-preview.1": v12Preview1,
  "v1.2": v12,
  "v1.3-preview.1": v13Preview1,
};

import * as z from "zod";
import { compact } from "../../compact.ts";
import { extraOf } from "../json.ts";
import type { FaceRectangle, VerifyReference } from "../model.ts";

/**
 * Schemas of responses that several versions share. Responses are decoded tolerantly: unknown fields are kept, optional
 * fields may be null, and enum values are open strings.
 */

export const faceRectangle = z
  .looseObject({ top: z.number(), left: z.number(), width: z.number(), height: z.number() })
  .meta({ id: "FaceRectangle", description: "Position of the face in pixels." });

export const verifyOutcome = z.looseObject({
  matchConfidence: z.number().describe("0 to 1."),
  isIdentical: z.boolean(),
});

const verifyReferenceFields = {
  referenceType: z.string().nullish().describe("Color, Infrared or Depth."),
  faceRectangle,
  qualityForRecognition: z.string().describe("low, medium or high."),
};

export const verifyReference = z
  .looseObject(verifyReferenceFields)
  .meta({ id: "VerifyReference", description: "The service's findings in the verify image." });

export function decodeVerifyReference(wire: z.output<typeof verifyReference>): VerifyReference {
  return compact({
    referenceType: wire.referenceType,
    faceRectangle: wire.faceRectangle,
    qualityForRecognition: wire.qualityForRecognition,
    ...extraOf(wire, verifyReferenceFields),
  });
}

/** v1.2's `targets` for the rectangle of the previews' `target`. */
export function toTargets(rectangle: FaceRectangle): { color: { faceRectangle: FaceRectangle } } {
  return { color: { faceRectangle: rectangle } };
}

const targets = z.looseObject({ color: z.looseObject({ faceRectangle }) });

/** The rectangle in v1.2's `targets`, if present. */
export function rectangleOf(value: unknown): FaceRectangle | undefined {
  const parsed = targets.safeParse(value);
  return parsed.success ? parsed.data.color.faceRectangle : undefined;
}

/** Encodes an id, which may be any text, as a path segment. */
export function segment(id: string): string {
  return encodeURIComponent(id.toWellFormed());
}

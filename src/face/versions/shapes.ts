import * as z from "zod";
import { compact } from "../../compact.ts";
import type { FaceRectangle, VerifyReference } from "../model.ts";
import { extraOf } from "../objects.ts";

/**
 * Pieces of responses that several versions share. Responses are read tolerantly: unknown fields are kept, optional ones
 * may be null, and enum values are open strings.
 */

export const faceRectangle = z
  .looseObject({ top: z.number(), left: z.number(), width: z.number(), height: z.number() })
  .meta({ id: "FaceRectangle", description: "Where the face is, in pixels." });

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
  .meta({ id: "VerifyReference", description: "What the service saw in the verify image." });

export function decodeVerifyReference(wire: z.output<typeof verifyReference>): VerifyReference {
  return compact({
    referenceType: wire.referenceType,
    faceRectangle: wire.faceRectangle,
    qualityForRecognition: wire.qualityForRecognition,
    ...extraOf(wire, verifyReferenceFields),
  });
}

/** v1.2's `targets` around a rectangle, as the previews' `target` has one only. */
export function toTargets(rectangle: FaceRectangle): { color: { faceRectangle: FaceRectangle } } {
  return { color: { faceRectangle: rectangle } };
}

const targets = z.looseObject({ color: z.looseObject({ faceRectangle }) });

/** The rectangle in v1.2's `targets`, where there is one. */
export function rectangleOf(value: unknown): FaceRectangle | undefined {
  const parsed = targets.safeParse(value);
  return parsed.success ? parsed.data.color.faceRectangle : undefined;
}

/** A segment of a path: ids come from anywhere. */
export function segment(id: string): string {
  return encodeURIComponent(id.toWellFormed());
}

import * as z from "zod";

/** JSON in a text, whose value has a shape. @param message of the fault if the text is not JSON. */
export function jsonText<T extends z.ZodType>(schema: T, message = "not JSON") {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

import * as z from "zod";

/** Schema of a string with JSON whose value matches `schema`. @param message of the issue if the string is not JSON. */
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

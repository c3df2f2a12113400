import * as z from "zod";
import { readDocument } from "../documents.ts";

/** `${NAME}` or `${NAME=default}`, which azd replaces. */
const substitution = z.string().regex(/^\$\{[A-Z_0-9]+(=[\w.]+)?\}$/);

const parameters = z
  .strictObject({
    $schema: z.string(),
    contentVersion: z.string(),
    parameters: z.record(
      z.string(),
      z.strictObject({ value: z.union([substitution, z.record(z.string(), substitution)]) }),
    ),
  })
  .parse(JSON.parse(readDocument("infra/main.parameters.json"))).parameters;

/** A variable of the azd environment, and its default. */
export interface Choice {
  variable: string;
  fallback: string | undefined;
}

/** Parameters of main.bicep with a single value, by name. */
export const choices: Record<string, Choice> = Object.fromEntries(
  Object.entries(parameters).flatMap(([name, { value }]) =>
    typeof value === "string" ? [[name, readChoice(value)]] : [],
  ),
);

/** The app settings that an operator chooses, by name. */
export const chosenSettings: Record<string, Choice> = Object.fromEntries(
  Object.entries(z.record(z.string(), z.string()).parse(parameters.settings?.value)).map(([name, value]) => [
    name,
    readChoice(value),
  ]),
);

export const parameterNames = Object.keys(parameters);

function readChoice(value: string): Choice {
  const [, variable = "", fallback] = /^\$\{(\w+)(?:=(.*))?\}$/.exec(value) ?? [];
  return { variable, fallback };
}

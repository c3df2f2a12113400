import { z } from "zod";
import type { RegisteredFunction } from "./core-api.ts";
import type { Log } from "./log.ts";
import { parseRoute, type Route } from "./routes.ts";

const triggerShape = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("httpTrigger"),
    route: z.string().optional(),
    methods: z.array(z.string()).optional(),
  }),
  z.object({
    type: z.literal("timerTrigger"),
    schedule: z.string(),
    runOnStartup: z.boolean().default(false),
  }),
]);

interface LoadedFunctionBase {
  registered: RegisteredFunction;
  /** Name of the trigger's binding. */
  bindingName: string;
  /** By app setting `AzureWebJobs.{name}.Disabled`. A disabled function has no route and no schedule; `/admin` can run it. */
  disabled: boolean;
}

export interface HttpFunction extends LoadedFunctionBase {
  type: "httpTrigger";
  route: Route;
}

export interface TimerFunction extends LoadedFunctionBase {
  type: "timerTrigger";
  schedule: string;
  runOnStartup: boolean;
}

export type LoadedFunction = HttpFunction | TimerFunction;

/**
 * Reads the registrations. As in the real host, a function in error (an unsupported trigger, an invalid template) is logged
 * and left out.
 */
export function listFunctions(
  registered: readonly RegisteredFunction[],
  routePrefix: string,
  settings: NodeJS.ProcessEnv,
  log: Log,
): LoadedFunction[] {
  return registered.flatMap((target) => {
    try {
      return [readFunction(target, routePrefix, settings)];
    } catch (error) {
      log(
        "error",
        "host",
        `The '${target.name}' function is in error: ${error instanceof Error ? error.message : error}`,
      );
      return [];
    }
  });
}

function readFunction(target: RegisteredFunction, routePrefix: string, settings: NodeJS.ProcessEnv): LoadedFunction {
  const [bindingName, binding] =
    Object.entries(target.metadata.bindings).find(([, { type }]) => /trigger$/i.test(type ?? "")) ?? [];
  if (bindingName === undefined) {
    throw new Error("it has no trigger");
  }
  const parsed = triggerShape.safeParse(binding);
  if (!parsed.success) {
    throw new Error(`its trigger of type "${binding?.type}" is not supported here: ${z.prettifyError(parsed.error)}`);
  }
  const trigger = parsed.data;
  const base = { registered: target, bindingName, disabled: isDisabled(target.name, settings) };
  if (trigger.type === "timerTrigger") {
    return { ...base, ...trigger, schedule: resolveSetting(trigger.schedule, settings) };
  }
  const template = trigger.route === undefined || trigger.route === "" ? target.name : trigger.route;
  return { ...base, type: trigger.type, route: parseRoute(target.name, routePrefix, template, trigger.methods ?? []) };
}

/** The setting can have dots, or double underscores for shells that do not allow dots. */
function isDisabled(name: string, settings: NodeJS.ProcessEnv): boolean {
  const value = settings[`AzureWebJobs.${name}.Disabled`] ?? settings[`AzureWebJobs__${name}__Disabled`] ?? "";
  return /^(true|1)$/i.test(value);
}

/** Resolves a value of the form `%NAME%` to the app setting. */
function resolveSetting(value: string, settings: NodeJS.ProcessEnv): string {
  const name = /^%(.+)%$/.exec(value)?.[1];
  if (name === undefined) {
    return value;
  }
  const setting = settings[name];
  if (setting === undefined) {
    throw new Error(`'%${name}%' does not resolve to a value`);
  }
  return setting;
}

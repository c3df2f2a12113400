import type { InvocationContext } from "@azure/functions";
import { compact } from "../compact.ts";

export type LogFields = Record<string, string | number | boolean | undefined>;

/** Writes one JSON line per event. Fields are ids, codes and counts, never secrets of a caller. */
export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export function createLog(context: InvocationContext): Log {
  const line = (event: string, fields?: LogFields) => JSON.stringify({ event, ...fields });
  return {
    info: (event, fields) => context.info(line(event, fields)),
    warn: (event, fields) => context.warn(line(event, fields)),
    error: (event, fields) => context.error(line(event, fields)),
  };
}

/**
 * Selected fields of an error and its cause for the log. Other fields of an SDK's error contain the request with its keys.
 */
export function describeError(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: typeof error };
  return {
    error: error.name,
    message: error.message,
    ...codesOf(error),
    stack: error.stack,
    ...(error.cause !== undefined && { cause: describeCause(error.cause) }),
  };
}

/** One level only, since causes may be circular. */
function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return typeof cause;
  return `${cause.name}: ${cause.message} ${codesOf(cause).code ?? ""}`.trim();
}

function codesOf(error: Error): { code?: string; statusCode?: number } {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  return compact({
    code: typeof code === "string" ? code : undefined,
    statusCode: typeof statusCode === "number" ? statusCode : undefined,
  });
}

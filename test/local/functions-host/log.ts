import type { LogLevel } from "./core-types.ts";

/** Writes one entry: level, function name (or `host`), message. */
export type Log = (level: LogLevel, source: string, message: string) => void;

const levels: readonly LogLevel[] = ["trace", "debug", "information", "warning", "error", "critical"];

export function isLogLevel(value: string): value is LogLevel {
  return levels.some((level) => level === value);
}

/**
 * One line per entry on `out`: time, level, function name, message. Entries below `minimum` are dropped. Line breaks
 * within a message are written as `\n`, so that every line is one entry.
 */
export function createLog(minimum: LogLevel, out: NodeJS.WritableStream, now: () => Date): Log {
  const threshold = levels.indexOf(minimum);
  return (level, source, message) => {
    if (levels.indexOf(level) >= threshold) {
      out.write(`${now().toISOString()} ${level} ${source}: ${message.replaceAll(/\r?\n/g, "\\n")}\n`);
    }
  };
}

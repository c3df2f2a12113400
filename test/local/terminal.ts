import { StackError, stopRequest } from "./child.ts";

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Reports a failure and ends this process: one line for a `StackError`, the stack trace for any other error. */
export function fail(error: unknown): never {
  const known = error instanceof StackError;
  process.stderr.write(`${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}

/**
 * Runs `stop` at Ctrl-C, SIGTERM, the end of the terminal, or a `stopRequest` of the parent process, then ends this
 * process with code 0. Before `stop` is set, or at the second request, it ends at once: children end with their parent.
 */
export function stopOnSignals(): { whenAsked(stop: () => Promise<void>): void } {
  let stop: (() => Promise<void>) | undefined;
  const asked = () => {
    const once = stop;
    stop = undefined;
    if (!once) {
      process.exit(0);
    }
    once().then(() => process.exit(0), fail);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, asked);
  }
  process.on("message", (message) => message === stopRequest && asked());
  // The channel to the parent must not keep this process alive.
  process.channel?.unref();
  return {
    whenAsked: (given) => {
      stop = given;
    },
  };
}

import { type ChildProcess, fork } from "node:child_process";

/** A piece of the local stack could not do its work. The message is meant for people and needs no stack. */
export class StackError extends Error {
  override readonly name = "StackError";
}

/**
 * The message that asks a process to end, over the IPC channel to its parent. Windows has no signals that a process could
 * hear, so this is the way on every system; the word is Azurite's own, and that of process managers.
 */
export const stopRequest = "shutdown";

export interface Child {
  process: ChildProcess;
  pid: number;
  /** All that it has written to stdout and stderr so far. */
  output(): string;
  /** Its exit code, or null where a signal ended it. Never rejects. */
  exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** Asks it to end by `stopRequest`, and kills it where that has not ended it in time. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  args?: readonly string[];
  /** The whole environment of the child, beside what the operating system needs. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  onOutput?: (text: string) => void;
}

/** What a process needs of its surroundings to run at all; anything else of the parent's environment stays out. */
const inherited = ["PATH", "HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LANG", "NODE_V8_COVERAGE"];
/** How long a child may take to end before it is killed. */
const stopTimeout = 8000;

/** Starts a Node.js module as a child process that keeps its output and ends with its parent (by its IPC channel). */
export function startChild(modulePath: string, options: ChildOptions = {}): Child {
  const base = Object.fromEntries(inherited.map((name) => [name, process.env[name]]));
  const child = fork(modulePath, options.args ?? [], {
    cwd: options.cwd,
    env: { ...base, ...options.env },
    // Own arguments only: a parent under a debugger or a test runner would pass its own on.
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const { output, exited } = watchChild(child, options.onOutput);
  return {
    process: child,
    pid: child.pid ?? -1,
    output,
    exited,
    kill: (signal) => {
      child.kill(signal);
    },
    stop: async () => {
      // One that has ended already hears nothing, which is no failure.
      child.send(stopRequest, () => undefined);
      const timeout = setTimeout(() => child.kill("SIGKILL"), stopTimeout);
      await exited;
      clearTimeout(timeout);
    },
  };
}

/** Keeps what a process writes to stdout and stderr, and tells how it ends. */
export function watchChild(child: ChildProcess, onOutput?: (text: string) => void): Pick<Child, "output" | "exited"> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      onOutput?.(text);
    });
  }
  const exited = new Promise<number | null>((resolve) => {
    child.once("close", (code) => resolve(code));
    child.once("error", () => resolve(null));
  });
  return { output: () => output, exited };
}

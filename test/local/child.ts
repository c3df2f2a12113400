import { type ChildProcess, fork } from "node:child_process";

/** A failure of the local stack whose message is complete without a stack trace. */
export class StackError extends Error {
  override readonly name = "StackError";
}

/**
 * The message that asks a process to end, over the IPC channel from its parent. Windows has no signals that a process
 * can handle, so all systems use this. Azurite and process managers use the same word.
 */
export const stopRequest = "shutdown";

export interface Child {
  process: ChildProcess;
  pid: number;
  /** Its output so far, stdout and stderr. */
  output(): string;
  /** The exit code, or null after a signal. Never rejects. */
  exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** Sends `stopRequest`, and kills the process after a timeout. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  args?: readonly string[];
  /** The environment of the child, besides the variables of the operating system. */
  env?: Record<string, string | undefined>;
  cwd?: string;
  onOutput?: (text: string) => void;
}

/** Variables that every process needs. No other variable of the parent is passed on. */
const inherited = ["PATH", "HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LANG", "NODE_V8_COVERAGE"];
/** Time that a child has to end before it is killed, in milliseconds. */
const stopTimeout = 8000;

/** Starts a Node.js module as a child process that keeps its output and ends with its parent (by its IPC channel). */
export function startChild(modulePath: string, options: ChildOptions = {}): Child {
  const base = Object.fromEntries(inherited.map((name) => [name, process.env[name]]));
  const child = fork(modulePath, options.args ?? [], {
    cwd: options.cwd,
    env: { ...base, ...options.env },
    // No arguments of the parent: a debugger or a test runner would pass theirs on.
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
      // Sending to a process that has ended is no failure.
      child.send(stopRequest, () => undefined);
      const timeout = setTimeout(() => child.kill("SIGKILL"), stopTimeout);
      await exited;
      clearTimeout(timeout);
    },
  };
}

/** Keeps the output of a process, and resolves `exited` with its exit code. */
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

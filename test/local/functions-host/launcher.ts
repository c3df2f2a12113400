import { join } from "node:path";
import { z } from "zod";
import { StackError, startChild } from "../child.ts";
import { explainPort } from "../ports.ts";
import { type HostMessage, hostMessageShape, type ParentMessage } from "./ipc.ts";

const outcomeShape = z.object({ status: z.enum(["Succeeded", "Failed"]), error: z.string().optional() });
export type RunOutcome = z.infer<typeof outcomeShape>;

export interface FunctionsHostOptions {
  /** Folder of the app's package.json and host.json. */
  appFolder: string;
  /** Default 0: any free port. */
  port?: number;
  /** All app settings. The environment of this process is not added. */
  env: Record<string, string | undefined>;
  /** Whether timers run by their schedules. Default true. */
  timers?: boolean;
  /** Whether the host refuses host names other than loopback ones. Default false. */
  loopbackNamesOnly?: boolean;
  /** The working folder. Its `local.settings.json` has the CORS settings. Default: the app's folder. */
  workFolder?: string;
  /** Initial offset of the app's clock, in milliseconds. */
  clockOffsetMs?: number;
  onOutput?: (text: string) => void;
}

/** A running functions host: one app in one child process. */
export interface FunctionsHost {
  /** Without a trailing slash. */
  url: string;
  port: number;
  pid: number;
  output(): string;
  /** Moves the app's clock. */
  setClockOffset(milliseconds: number): Promise<void>;
  /** Runs a timer function and waits for its end. */
  runFunction(name: string): Promise<RunOutcome>;
  /** Stops after the end of running invocations. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, or null after a signal. */
  exited: Promise<number | null>;
}

/** Starts an app. Throws `StackError` with the host's output where the start fails. */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<FunctionsHost> {
  const requestedPort = options.port ?? 0;
  const child = startChild(join(import.meta.dirname, "main.ts"), {
    args: [
      options.appFolder,
      ...(options.timers === false ? ["--no-timers"] : []),
      ...(options.loopbackNamesOnly ? ["--loopback-names-only"] : []),
      `--clock-offset=${options.clockOffsetMs ?? 0}`,
    ],
    env: { ...options.env, PORT: String(requestedPort) },
    cwd: options.workFolder ?? options.appFolder,
    ...(options.onOutput ? { onOutput: options.onOutput } : {}),
  });

  const started = Promise.withResolvers<number>();
  const clockWaiters = new Map<number, () => void>();
  let lastId = 0;
  const receive = (message: HostMessage) => {
    if (message.type === "ready") {
      started.resolve(message.port);
    } else if (message.type === "failed") {
      const reason = explainPort(message.code, "functions host", requestedPort, "PORT");
      started.reject(new StackError(reason ?? message.message));
    } else {
      clockWaiters.get(message.id)?.();
      clockWaiters.delete(message.id);
    }
  };
  child.process.on("message", (message) => {
    const parsed = hostMessageShape.safeParse(message);
    if (parsed.success) {
      receive(parsed.data);
    }
  });
  void child.exited.then(() => {
    started.reject(new StackError(`The functions host ended while it was starting:\n${child.output()}`));
    for (const resolve of clockWaiters.values()) {
      resolve();
    }
  });

  const port = await started.promise.catch(async (error: unknown) => {
    // The process ends by itself, and uses its working folder until then.
    await child.exited;
    throw error;
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    pid: child.pid,
    output: child.output,
    exited: child.exited,
    kill: child.kill,
    stop: child.stop,
    setClockOffset: (offsetMs) =>
      new Promise((resolve) => {
        const id = ++lastId;
        const message: ParentMessage = { type: "clock", id, offsetMs };
        clockWaiters.set(id, resolve);
        // A host that has ended has no clock.
        child.process.send(message, (error) => error && resolve());
      }),
    runFunction: async (name) => {
      const response = await fetch(`${url}/admin/functions/${encodeURIComponent(name)}?wait=true`, { method: "POST" });
      if (!response.ok) {
        throw new Error(`The host did not run "${name}": ${response.status}`);
      }
      return outcomeShape.parse(await response.json());
    },
  };
}

import { join } from "node:path";
import { z } from "zod";
import { StackError, startChild } from "../child.ts";
import { explainPort } from "../ports.ts";
import { type HostMessage, hostMessageShape, type ParentMessage } from "./ipc.ts";

const outcomeShape = z.object({ status: z.enum(["Succeeded", "Failed"]), error: z.string().optional() });
export type RunOutcome = z.infer<typeof outcomeShape>;

export interface FunctionsHostOptions {
  /** Where the app's package.json and host.json are. */
  appFolder: string;
  /** Default 0: any free port. */
  port?: number;
  /** The app settings: all of them, nothing of this process's environment is added. */
  env: Record<string, string | undefined>;
  /** Whether timers run by their schedules. Default true. */
  timers?: boolean;
  /** Whether requests for other names than this machine's own are refused. Default false. */
  loopbackNamesOnly?: boolean;
  /** The working folder, whose `local.settings.json` says what CORS allows. Default: the app's folder. */
  workFolder?: string;
  /** How far the app's clock runs ahead from the start. */
  clockOffsetMs?: number;
  onOutput?: (text: string) => void;
}

/** A running functions host: one app in one child process. */
export interface FunctionsHost {
  /** Without a slash at its end. */
  url: string;
  port: number;
  pid: number;
  output(): string;
  /** Resolves when the app's clock has been moved. */
  setClockOffset(milliseconds: number): Promise<void>;
  /** Runs a timer function now and waits for its end. */
  runFunction(name: string): Promise<RunOutcome>;
  /** Lets running invocations end. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, or null where a signal ended it. */
  exited: Promise<number | null>;
}

/** Starts an app. Throws `StackError` where it cannot be started, with what the host has to say about it. */
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
  const hear = (message: HostMessage) => {
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
      hear(parsed.data);
    }
  });
  void child.exited.then(() => {
    started.reject(new StackError(`The functions host ended while it was starting:\n${child.output()}`));
    for (const resolve of clockWaiters.values()) {
      resolve();
    }
  });

  const port = await started.promise.catch(async (error: unknown) => {
    // It ends by itself, and holds its working folder until then.
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
        // A host that has ended has no clock to move.
        child.process.send(message, (error) => error && resolve());
      }),
    runFunction: async (name) => {
      const response = await fetch(`${url}/admin/functions/${encodeURIComponent(name)}?wait=true`, { method: "POST" });
      if (!response.ok) {
        throw new Error(`The host does not run "${name}": ${response.status}`);
      }
      return outcomeShape.parse(await response.json());
    },
  };
}

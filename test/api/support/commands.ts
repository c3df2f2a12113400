import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { watchChild } from "../../local/child.ts";
import { until } from "./until.ts";

/** The root of this project. */
export const root = resolve(import.meta.dirname, "../../..");

export interface Command {
  process: ChildProcess;
  output(): string;
  /** Waits until the output contains or matches `text`. Fails where the process exits before. */
  seen(text: string | RegExp): Promise<void>;
  exited: Promise<number | null>;
}

/** Runs a script of `test/local`, by default of this project. The process ends after the test. */
export function runCommand(
  t: TestContext,
  script: string,
  options: { env: NodeJS.ProcessEnv; root?: string; args?: string[]; detached?: boolean },
): Command {
  const { env, root: cwd = root, args = [], detached = false } = options;
  const child = spawn(process.execPath, [join(cwd, "test/local", script), ...args], {
    ...{ cwd, env, detached, stdio: ["ignore", "pipe", "pipe", "ipc"] },
  });
  const { output, exited } = watchChild(child);
  t.after(() => {
    child.kill("SIGKILL");
    return exited;
  });
  const isSeen = (text: string | RegExp) => (typeof text === "string" ? output().includes(text) : text.test(output()));
  return {
    process: child,
    output,
    exited,
    seen: (text) =>
      until(() => {
        if (!isSeen(text)) assert.equal(child.exitCode, null, output());
        return isSeen(text);
      }),
  };
}

import { after } from "node:test";
import { type Stack, type StackOptions, startStack } from "../../local/stack.ts";
import { createAppClient } from "./app-client.ts";

/** A local stack for the suite that calls this, and a client of its app. The stack stops after the suite. */
export async function openStack(
  options?: StackOptions,
): Promise<{ stack: Stack; app: ReturnType<typeof createAppClient> }> {
  const stack = await startStack(options);
  after(() => stack.stop());
  return { stack, app: createAppClient(stack.url) };
}

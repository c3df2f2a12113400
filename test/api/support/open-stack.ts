import { after } from "node:test";
import { type StackOptions, startStack } from "../../local/stack.ts";
import { control, createAppClient, emulatorState, playAttempt } from "./app-client.ts";

type Rest<Call> = Call extends (first: never, ...rest: infer Others) => unknown ? Others : never;

/**
 * A local stack for the suite that calls this, a client of its app, and calls of its emulator. The stack stops after the
 * suite.
 */
export async function openStack(options?: StackOptions) {
  const stack = await startStack(options);
  after(() => stack.stop());
  return {
    stack,
    app: createAppClient(stack.url),
    play: (...attempt: Rest<typeof playAttempt>) => playAttempt(stack.emulator, ...attempt),
    control: (...call: Rest<typeof control>) => control(stack.emulator, ...call),
    emulatorState: () => emulatorState(stack),
  };
}

import { after, before, describe } from "node:test";
import { type ApiVersion, apiVersions } from "../../../src/face/model.ts";
import { type StackOptions, startStack } from "../../local/stack.ts";
import { control, createAppClient, emulatorState, playAttempt } from "./app-client.ts";

type Rest<Call> = Call extends (first: never, ...rest: infer Others) => unknown ? Others : never;

export type OpenStack = Awaited<ReturnType<typeof openStack>>;

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

/** A suite for each upstream version. They share a stack, whose app restarts with the version of the suite. */
export async function describeUpstreams(
  what: string,
  env: Record<string, string>,
  suite: (upstream: ApiVersion, opened: OpenStack) => void,
): Promise<void> {
  const [first] = apiVersions;
  const opened = await openStack({ env: { ...env, FACE_API_VERSION: first } });
  for (const upstream of apiVersions) {
    describe(`${what}, upstream version ${upstream}`, () => {
      if (upstream !== first) before(() => opened.stack.restartApp({ FACE_API_VERSION: upstream }));
      suite(upstream, opened);
    });
  }
}

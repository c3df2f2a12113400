import { randomBytes } from "node:crypto";
import type { RegisteredFunction, Registry } from "./core-api.ts";
import type { CoreInvocationContext, InvocationRequest, InvocationResponse, RpcTypedData } from "./core-types.ts";
import type { Log } from "./log.ts";

export interface Invocation {
  invocationId: string;
  /** The trigger's binding and its data. */
  input: { name: string; data: RpcTypedData | null };
  triggerMetadata?: Record<string, RpcTypedData>;
  /** W3C trace context of the caller. */
  traceParent?: string;
}

export interface Invoker {
  /** Runs the function as the Node.js worker does, hooks included. Throws what the handler throws. */
  invoke(target: RegisteredFunction, invocation: Invocation): Promise<InvocationResponse>;
  /** Resolves when all running invocations have ended. */
  settle(): Promise<void>;
}

export function createInvoker(registry: Registry, log: Log): Invoker {
  const running = new Set<Promise<unknown>>();
  return {
    invoke: (target, invocation) => {
      const run = runInvocation(registry, log, target, invocation);
      running.add(run);
      const forget = () => running.delete(run);
      run.then(forget, forget);
      return run;
    },
    settle: async () => {
      await Promise.allSettled(running);
    },
  };
}

async function runInvocation(
  registry: Registry,
  log: Log,
  target: RegisteredFunction,
  invocation: Invocation,
): Promise<InvocationResponse> {
  const programmingModel = registry.programmingModel();
  if (!programmingModel) {
    throw new Error("The app has registered functions but no programming model.");
  }
  const request: InvocationRequest = {
    invocationId: invocation.invocationId,
    functionId: target.id,
    inputData: [invocation.input],
    triggerMetadata: invocation.triggerMetadata ?? {},
    traceContext: {
      traceParent: childTraceParent(invocation.traceParent),
      traceState: "",
      attributes: {},
    },
  };
  const coreContext: CoreInvocationContext = {
    invocationId: invocation.invocationId,
    request,
    metadata: target.metadata,
    state: undefined,
    log: (level, _category, message) => log(level, target.name, message),
  };
  const model = await programmingModel.getInvocationModel(coreContext);
  const { context, inputs } = await model.getArguments();

  const hookData = {};
  const shared = { hookData, appHookData: registry.appHookData, invocationContext: context };
  const before = { ...shared, inputs, functionCallback: target.callback };
  coreContext.state = "preInvocationHooks";
  await registry.runHooks("preInvocation", before);

  const after: { inputs: unknown[]; result: unknown; error: unknown } = {
    inputs: before.inputs,
    result: null,
    error: null,
  };
  coreContext.state = "invocation";
  try {
    after.result = await model.invokeFunction(context, before.inputs, before.functionCallback);
  } catch (error) {
    after.error = error ?? new Error("The function threw nothing at all.");
  }
  const postContext = { ...shared, ...after };
  coreContext.state = "postInvocationHooks";
  await registry.runHooks("postInvocation", postContext);
  coreContext.state = undefined;

  if (postContext.error !== null && postContext.error !== undefined) {
    throw postContext.error;
  }
  return model.getResponse(context, postContext.result);
}

/** A new span in the caller's trace, or in a new trace. */
function childTraceParent(parent: string | undefined): string {
  const traceId = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(parent ?? "")?.[1];
  return `00-${traceId ?? randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-00`;
}

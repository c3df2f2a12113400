/**
 * The module that the Node.js worker of Azure Functions provides to the app's `require`: no package of this name exists.
 * Only what this app uses of it, as the worker's own types describe it.
 */
declare module "@azure/functions-core" {
  /** The programming model that is set; registering the first function through `@azure/functions` sets that library's. */
  export function getProgrammingModel(): ProgrammingModel;
  export function setProgrammingModel(model: ProgrammingModel): void;

  export interface ProgrammingModel {
    name: string;
    version: string;
    getInvocationModel(context: CoreInvocationContext): InvocationModel | Promise<InvocationModel>;
    /** Called once, after the app has started. Takes the worker's capabilities and returns those of the app. */
    getCapabilities?(capabilities: Record<string, string>): Record<string, string> | Promise<Record<string, string>>;
  }

  export interface CoreInvocationContext {
    invocationId: string;
    request: InvocationRequest;
    metadata: { name?: string | null; bindings?: Record<string, { type?: string | null }> | null };
    log(level: "error", category: "user", message: string): void;
  }

  export interface InvocationRequest {
    inputData?: object[] | null;
    triggerMetadata?: Record<string, { string?: string | null; json?: string | null }> | null;
  }

  /** The steps of one invocation, in the order in which the worker takes them. */
  export interface InvocationModel {
    getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
    invokeFunction(context: unknown, inputs: unknown[], callback: FunctionCallback): Promise<unknown>;
    getResponse(context: unknown, result: unknown): Promise<object>;
  }

  export type FunctionCallback = (...args: unknown[]) => unknown;
}

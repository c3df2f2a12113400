import Module from "node:module";
import type {
  FunctionCallback,
  FunctionMetadata,
  HookCallback,
  LogCategory,
  LogLevel,
  ProgrammingModel,
} from "./core-types.ts";
import type { Log } from "./log.ts";

export interface RegisteredFunction {
  id: string;
  name: string;
  metadata: FunctionMetadata;
  callback: FunctionCallback;
}

const hookNames = ["preInvocation", "postInvocation", "appStart", "appTerminate"] as const;
export type HookName = (typeof hookNames)[number];

/** The app's registrations so far. */
export interface Registry {
  /** In the order of registration. */
  functions(): RegisteredFunction[];
  programmingModel(): ProgrammingModel | undefined;
  runHooks(name: HookName, context: object): Promise<void>;
  /** Shared by all hooks of the app. */
  readonly appHookData: Record<string, unknown>;
  /** After this call registering and disposing throw, as in the real worker. */
  finishStartup(): void;
}

/**
 * Provides the module `@azure/functions-core` to every `require` in this process, as the Node.js worker does, and
 * returns the registrations made through it.
 */
export function provideCoreModule(log: Log): Registry {
  const functions = new Map<string, RegisteredFunction>();
  const hooks = new Map<HookName, HookCallback[]>(hookNames.map((name) => [name, []]));
  const appHookData: Record<string, unknown> = {};
  let model: ProgrammingModel | undefined;
  let started = false;

  class Disposable {
    static from(...disposables: { dispose(): unknown }[]): Disposable {
      return new Disposable(() => {
        for (const disposable of disposables) {
          disposable.dispose();
        }
      });
    }
    #dispose: (() => unknown) | undefined;
    constructor(callOnDispose: () => unknown) {
      this.#dispose = callOnDispose;
    }
    dispose(): unknown {
      const dispose = this.#dispose;
      this.#dispose = undefined;
      return dispose?.();
    }
  }

  const coreApi = {
    // Versions of a current worker and host. The library only checks that `log` exists.
    version: "3.11.0",
    hostVersion: "4.1040.0",
    Disposable,
    log: (level: LogLevel, _category: LogCategory, message: string) => log(level, "host", message),
    setProgrammingModel: (next: ProgrammingModel) => {
      model = next;
    },
    getProgrammingModel: () => model,
    registerFunction: (metadata: FunctionMetadata, callback: FunctionCallback) => {
      if (started) {
        throw new Error("A function can only be registered during app startup.");
      }
      // The real host compares names case-insensitively.
      const id = (metadata.functionId ?? metadata.name).toLowerCase();
      if (functions.has(id)) {
        throw new Error(`A function with name "${metadata.name}" has already been registered.`);
      }
      functions.set(id, { id, name: metadata.name, metadata, callback });
      return new Disposable(() => {
        if (started) {
          throw new Error("A function can only be disposed during app startup.");
        }
        functions.delete(id);
      });
    },
    registerHook: (name: string, callback: HookCallback) => {
      const known = hookNames.find((hookName) => hookName === name);
      const callbacks = known && hooks.get(known);
      if (!callbacks) {
        throw new RangeError(`Unrecognized hook "${name}"`);
      }
      callbacks.push(callback);
      return new Disposable(() => {
        const index = callbacks.indexOf(callback);
        if (index >= 0) {
          callbacks.splice(index, 1);
        }
      });
    },
  };

  Module.prototype.require = new Proxy(Module.prototype.require, {
    apply: (target, thisArg, args) =>
      args[0] === "@azure/functions-core" ? coreApi : Reflect.apply(target, thisArg, args),
  });

  return {
    functions: () => [...functions.values()],
    programmingModel: () => model,
    appHookData,
    runHooks: async (name, context) => {
      for (const callback of [...(hooks.get(name) ?? [])]) {
        await callback(context);
      }
    },
    finishStartup: () => {
      started = true;
    },
  };
}

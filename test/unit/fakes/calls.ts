/**
 * A point in time just before or just after the effect of one call of a process. A call is one request to a table
 * (`sessions.transact`), to the image store or to the Face service.
 */
export interface Moment {
  /** Position of the call among all calls of the process, from 1. */
  number: number;
  name: string;
  /** Position of the call among those of its name, from 1. */
  nth: number;
  when: "before" | "after";
}

/**
 * Called at every moment. If it returns an error, the call fails: `before` without any effect, `after` as if the response
 * had been lost. `stop` ends the process: none of its further calls has an effect or returns. A promise delays the call
 * until it resolves.
 */
export type Hook = (moment: Moment) => Verdict | Promise<Verdict>;

type Verdict = Error | "stop" | undefined;

/** The calls of one process. */
export interface Calls {
  /** Names of the calls, in their order. */
  readonly names: readonly string[];
  /** Resolves when the hook has stopped the process. */
  readonly stopped: Promise<void>;
  /**
   * Makes a call. Effects begin in the order of the calls; a synchronous effect is complete before the next call is made.
   */
  run<T>(name: string, effect: () => T | Promise<T>): Promise<T>;
}

export function createCalls(hook: Hook = () => undefined): Calls {
  const names: string[] = [];
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  let isStopped = false;

  /** Returns whether the process continues after the moment. */
  function pass(verdict: Verdict): boolean {
    if (verdict instanceof Error) throw verdict;
    if (verdict === "stop") {
      isStopped = true;
      stop();
    }
    return !isStopped;
  }

  return {
    names,
    stopped,
    async run(name, effect) {
      if (isStopped) return never();
      const number = names.push(name);
      const moment = { number, name, nth: names.filter((other) => other === name).length };
      const before = hook({ ...moment, when: "before" });
      if (!pass(before instanceof Promise ? await before : before)) return never();
      const effected = effect();
      const value = effected instanceof Promise ? await effected : effected;
      const after = hook({ ...moment, when: "after" });
      if (!pass(after instanceof Promise ? await after : after)) return never();
      return value;
    },
  };
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Error of a call that a hook lets fail. */
export class InjectedError extends Error {
  override readonly name = "InjectedError";
}

export function failAt(number: number, when: Moment["when"] = "before"): Hook {
  return (moment) => (moment.number === number && moment.when === when ? new InjectedError("injected") : undefined);
}

export function stopAt(number: number, when: Moment["when"]): Hook {
  return (moment) => (moment.number === number && moment.when === when ? "stop" : undefined);
}

/** Stops the process at the first call of the name; with `nth`, at its n-th. */
export function stopOn(name: string, when: Moment["when"] = "after", nth = 1): Hook {
  return (moment) => (moment.name === name && moment.when === when && moment.nth === nth ? "stop" : undefined);
}

/** Lets every call of these names fail; with `nth`, only the n-th of each name. */
export function failOn(names: string | readonly string[], when: Moment["when"] = "before", nth?: number): Hook {
  return (moment) =>
    [names].flat().includes(moment.name) && moment.when === when && (nth ?? moment.nth) === moment.nth
      ? new InjectedError("injected")
      : undefined;
}

/** How an operation ended. */
export type Outcome<T> = { value: T } | { error: unknown } | { stopped: true };

/** Runs an operation until it ends or the process is stopped. */
export function outcomeOf<T>(calls: Calls, operation: () => Promise<T>): Promise<Outcome<T>> {
  return Promise.race([
    operation().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
    calls.stopped.then((): Outcome<T> => ({ stopped: true })),
  ]);
}

/** The result of an operation. Throws its error, or if the process was stopped. */
export function resultOf<T>(outcome: Outcome<T>): T {
  if ("value" in outcome) return outcome.value;
  throw "error" in outcome ? outcome.error : new Error("The process was stopped");
}

/** A moment in the life of a process: just before or just after a call of a port had its effect. Calls count from 1. */
export interface Moment {
  number: number;
  name: string;
  when: "before" | "after";
}

/**
 * Asked at every moment. An error makes that call fail: `before` without any effect, `after` as if the answer had been
 * lost. `stop` ends the process there and then: nothing that it still wants to do happens any more.
 */
export type Hook = (moment: Moment) => Error | "stop" | undefined;

/** The calls that one process makes of the ports. */
export interface Calls {
  /** In the order in which they were made. */
  readonly names: readonly string[];
  /** Resolves when the hook has stopped the process. */
  readonly stopped: Promise<void>;
  /** Makes a call. Its effect happens at once, so that the order of the calls is the order of their effects. */
  run<T>(name: string, effect: () => T): Promise<T>;
}

export function createCalls(hook: Hook = () => undefined): Calls {
  const names: string[] = [];
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  let isStopped = false;

  /** Whether the process lives on after the moment. */
  function pass(moment: Moment): boolean {
    const verdict = hook(moment);
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
      if (!pass({ number, name, when: "before" })) return never();
      const value = effect();
      if (!pass({ number, name, when: "after" })) return never();
      return value;
    },
  };
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Thrown by calls that a hook lets fail. */
export class InjectedError extends Error {
  override readonly name = "InjectedError";
}

export function failAt(number: number, when: Moment["when"] = "before"): Hook {
  return (moment) => (moment.number === number && moment.when === when ? new InjectedError("injected") : undefined);
}

export function stopAt(number: number, when: Moment["when"]): Hook {
  return (moment) => (moment.number === number && moment.when === when ? "stop" : undefined);
}

/** Lets every call of these names fail. */
export function failOn(names: string | readonly string[], when: Moment["when"] = "before"): Hook {
  return (moment) =>
    [names].flat().includes(moment.name) && moment.when === when ? new InjectedError("injected") : undefined;
}

/** How an operation ended. */
export type Outcome<T> = { value: T } | { error: unknown } | { stopped: true };

/** Runs an operation to its end, or to the end of the process. */
export function outcomeOf<T>(calls: Calls, operation: () => Promise<T>): Promise<Outcome<T>> {
  return Promise.race([
    operation().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
    calls.stopped.then((): Outcome<T> => ({ stopped: true })),
  ]);
}

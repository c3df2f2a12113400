/** The clock that the app sees: real time, run ahead by an offset that the parent process sets. */
export interface AppClock {
  /** Real time, whatever the app is shown. */
  realNow(): Date;
  setOffset(milliseconds: number): void;
}

/**
 * Replaces the global `Date` by one that runs ahead. Must be called before the app loads; the app knows nothing of it.
 * Node's own internals (timers, HTTP `Date` headers) stay on real time.
 */
export function installAppClock(): AppClock {
  const RealDate = Date;
  let offset = 0;
  const now = () => RealDate.now() + offset;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    apply: () => new RealDate(now()).toString(),
    get: (target, property, receiver) => (property === "now" ? now : Reflect.get(target, property, receiver)),
  });
  return {
    realNow: () => new RealDate(),
    setOffset: (milliseconds) => {
      offset = milliseconds;
    },
  };
}

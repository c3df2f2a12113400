/** The app's clock: real time plus an offset that the parent process sets. */
export interface AppClock {
  /** Real time, without the offset. */
  realNow(): Date;
  setOffset(milliseconds: number): void;
}

/**
 * Replaces the global `Date` by one with the offset. Must be called before the app loads. Node's internals (timers, HTTP
 * `Date` headers) keep real time.
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

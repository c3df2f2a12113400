import * as z from "zod";

/** Names of the service's operations in faults and counters. */
export const operations = [
  "create",
  "get",
  "delete",
  "list",
  "audit",
  "image",
  "settings",
  "patchSettings",
  "clientAssetsToken",
] as const;
export type Operation = (typeof operations)[number];

/** Fields of the faults of every local server. */
export const faultFields = {
  /** Answer with this status instead of the server's own. */
  status: z.int().min(400).max(599).optional(),
  /** Value of `Retry-After`: seconds, or an HTTP date. */
  retryAfter: z.union([z.int().min(0), z.string().regex(/^[\x20-\x7e]{1,100}$/)]).optional(),
  /** Delay in milliseconds. */
  delayMs: z.int().min(0).max(3_600_000).optional(),
  /** Reset the connection instead of answering. */
  reset: z.boolean().optional(),
  /** Number of affected calls. 1 where neither `times` nor `rate` is given. */
  times: z.int().min(1).optional(),
  /** Share of affected calls, until the fault is cleared. */
  rate: z.number().min(0).max(1).optional(),
};
type FaultFields = z.infer<z.ZodObject<typeof faultFields>>;

export const timesOrRate = [
  (fault: FaultFields) => fault.times === undefined || fault.rate === undefined,
  "Give times or rate, not both.",
] as const;

/** The body of `POST /emulator/faults`. */
export const faultSchema = z
  .strictObject({
    ...faultFields,
    operation: z.enum(operations),
    /** Error code and message for `status`; by default those of the service for that status. */
    code: z
      .string()
      .regex(/^[A-Za-z0-9]{1,100}$/)
      .optional(),
    message: z.string().min(1).max(1000).optional(),
    /** Carry out the operation first, then delay, drop (`reset`) or replace (`status`) its answer. */
    after: z.boolean().optional(),
  })
  .refine(...timesOrRate)
  .refine((fault) => fault.status === undefined || !fault.reset, "Give status or reset, not both.")
  .refine(
    (fault) => fault.status !== undefined || fault.reset || fault.delayMs !== undefined,
    "Give at least one of status, reset and delayMs.",
  )
  .refine(
    (fault) => fault.status !== undefined || (fault.retryAfter ?? fault.code ?? fault.message) === undefined,
    "retryAfter, code and message need status.",
  );
export type Fault = z.infer<typeof faultSchema>;

/** A fault of any local server. One without `operation` affects calls without one. */
type AnyFault = FaultFields & { operation?: string; after?: boolean | undefined };

/** The effect of the faults on one call. */
export interface Strike<F extends AnyFault = Fault> {
  /** Sum of the delays in milliseconds, before the operation and between it and its answer. */
  delayMs: { before: number; after: number };
  /** The first fault that drops or replaces the answer. */
  fault?: F;
}

export interface Faults<F extends AnyFault = Fault> {
  add(fault: F): void;
  /** Active faults, in the order in which they were added. */
  list(): F[];
  clear(): void;
  /** Counts one call of the operation and returns the effect of the faults on it. */
  strike(operation: F["operation"]): Strike<F>;
}

/** Faults with a rate use a random generator with a fixed seed, so that a run is reproducible. */
export function createFaults<F extends AnyFault = Fault>(): Faults<F> {
  let faults: F[] = [];
  let random = createRandom();

  function hits(fault: F): boolean {
    if (fault.rate !== undefined) return random() < fault.rate;
    fault.times = (fault.times ?? 1) - 1;
    return true;
  }

  return {
    add: (fault) => {
      faults.push({ ...fault });
    },
    list: () => faults.map((fault) => ({ ...fault })),
    clear() {
      faults = [];
      random = createRandom();
    },
    strike(operation) {
      const strike: Strike<F> = { delayMs: { before: 0, after: 0 } };
      for (const fault of faults) {
        const takesAnswer = fault.status !== undefined || fault.reset === true;
        if (fault.operation !== operation || (takesAnswer && strike.fault) || !hits(fault)) continue;
        strike.delayMs[fault.after ? "after" : "before"] += fault.delayMs ?? 0;
        if (takesAnswer) strike.fault = fault;
      }
      faults = faults.filter((fault) => fault.times !== 0);
      return strike;
    },
  };
}

/** Mulberry32: the same sequence on every machine. Returns numbers from 0 to below 1. */
function createRandom(seed = 0x5eed): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

import * as z from "zod";

/** The operations of the service, as faults and counters name them. */
export const operations = ["create", "get", "delete", "list", "audit", "image"] as const;
export type Operation = (typeof operations)[number];

/** A fault as `POST /emulator/faults` takes it. */
export const faultSchema = z
  .strictObject({
    operation: z.enum(operations),
    /** Answer with this status instead of the operation's own. */
    status: z.int().min(400).max(599).optional(),
    /** Error code and message for `status`; by default those of the service for that status. */
    code: z
      .string()
      .regex(/^[A-Za-z0-9]{1,100}$/)
      .optional(),
    message: z.string().min(1).max(1000).optional(),
    /** Value of `Retry-After`: seconds, or an HTTP date. */
    retryAfter: z.union([z.int().min(0), z.string().regex(/^[\x20-\x7e]{1,100}$/)]).optional(),
    /** Wait so long. */
    delayMs: z.int().min(0).max(3_600_000).optional(),
    /** Reset the connection instead of answering. */
    reset: z.boolean().optional(),
    /** Carry the operation out first: then wait, lose its answer (`reset`) or replace it (`status`). */
    after: z.boolean().optional(),
    /** How many calls it strikes. 1 where neither `times` nor `rate` is given. */
    times: z.int().min(1).optional(),
    /** The share of calls that it strikes, until it is cleared. */
    rate: z.number().min(0).max(1).optional(),
  })
  .refine((fault) => fault.times === undefined || fault.rate === undefined, "Give times or rate, not both.")
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

/** What the faults do to one call. */
export interface Strike {
  /** The delays of all faults that struck, added up: before the operation, and between it and its answer. */
  delayMs: { before: number; after: number };
  /** The first of them that takes the answer away. */
  fault?: Fault;
}

export interface Faults {
  add(fault: Fault): void;
  /** Faults that may still strike, in the order in which they were added. */
  list(): Fault[];
  clear(): void;
  /** Draws what happens to one call of the operation, and counts it. */
  strike(operation: Operation): Strike;
}

/** Faults with a rate draw from a generator with a fixed seed, so that a run can be repeated. */
export function createFaults(): Faults {
  let faults: Fault[] = [];
  let random = createRandom();

  function hits(fault: Fault): boolean {
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
      const strike: Strike = { delayMs: { before: 0, after: 0 } };
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

/** Mulberry32: small, fast, and the same sequence on every machine. Answers 0 up to, but not including, 1. */
function createRandom(seed = 0x5eed): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

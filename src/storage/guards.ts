import { isDeepStrictEqual } from "node:util";
import { ApiError } from "../errors.ts";
import type { Guard } from "../liveness/ports.ts";
import { backoff } from "../retry.ts";
import type { StorageTables } from "./connect.ts";
import { guardRow } from "./keys.ts";
import { readGuard, writeGuard } from "./small-rows.ts";

/** Rounds of the race for a guard before the caller is sent away. Each lost round is another's success. */
export const maxGuardRounds = 50;
/** Bounds of the pause between two rounds. */
const firstPauseMs = 5;
const maxPauseMs = 200;

export interface KnownGuard {
  guard: Guard;
  etag: string;
}

/** The `g` rows, of devices and of principals, for which many may race. */
export interface Guards {
  read(partition: string): Promise<KnownGuard | undefined>;
  /** Waits before the next round. */
  pause(round: number): Promise<void>;
  /**
   * Replaces a guard by its ETag, as often as others get in between; one that says nothing any more is removed, so that
   * it leaves no trace. Where `change` answers undefined, all stays as it is. Throws `ApiError` 503 after too many rounds.
   */
  amend(partition: string, change: (known: Guard | undefined) => Guard | undefined): Promise<void>;
}

export function createGuards({ sessions, retryPolicy }: StorageTables): Guards {
  return { read, pause, amend };

  async function read(partition: string): Promise<KnownGuard | undefined> {
    const entity = await sessions.get(partition, guardRow);
    return entity && { guard: readGuard(entity), etag: entity.etag };
  }

  async function pause(round: number): Promise<void> {
    const { random } = retryPolicy;
    await retryPolicy.sleep(backoff(round, { firstDelayMs: firstPauseMs, maxDelayMs: maxPauseMs, random }) * random());
  }

  async function amend(partition: string, change: Parameters<Guards["amend"]>[1]): Promise<void> {
    for (let round = 1; round <= maxGuardRounds; round++) {
      const known = await read(partition);
      const changed = change(known?.guard);
      if (changed === undefined || (await write(partition, changed, known?.etag))) return;
      await pause(round);
    }
    throw new ApiError(503, "ServerBusy", "Too much is being done for this caller at once.", { retryAfter: "1" });
  }

  /** False where somebody else was quicker. */
  async function write(partition: string, guard: Guard, etag: string | undefined): Promise<boolean> {
    if (etag !== undefined && saysNothing(guard))
      return (await sessions.remove(partition, guardRow, etag)) !== "changed";
    const entity = writeGuard(partition, guard);
    const { conflict } = await sessions.transact([
      etag === undefined ? ["create", entity] : ["update", entity, "Replace", { etag }],
    ]);
    if (conflict === undefined || !conflict.repeated) return conflict === undefined;
    // The answer of a write that did succeed may have been lost: then the row holds just what was to be written.
    return isDeepStrictEqual((await read(partition))?.guard, guard);
  }
}

function saysNothing({ recent, rejectionsInARow, lockedUntil }: Guard): boolean {
  return recent.length === 0 && rejectionsInARow === 0 && lockedUntil === undefined;
}

import { isDeepStrictEqual } from "node:util";
import type { TransactionAction } from "@azure/data-tables";
import { ApiError } from "../../errors.ts";
import type { Admit, Guard, GuardEdit } from "../../liveness/model/guard.ts";
import { backoff } from "../../retry.ts";
import type { StorageTables } from "../azure/connect.ts";
import { readGuard, writeGuard } from "../rows/other-rows.ts";

/** Rounds of the race for a guard before the caller is sent away. Each lost round is another's success. */
const maxGuardRounds = 50;
/** Bounds of the pause between two rounds. */
const firstPauseMs = 5;
const maxPauseMs = 200;

export interface KnownGuard {
  guard: Guard;
  etag: string;
}

/** The guards of devices and of principals, for which many may race. */
export interface Guards {
  read(partition: string, row: string): Promise<KnownGuard | undefined>;
  /**
   * Replaces a guard by its ETag, as often as others get in between; one that counts nothing any more is removed, so that
   * it leaves no trace. Where `change` answers undefined, all stays as it is. Throws `ApiError` 503 after too many rounds.
   */
  update(partition: string, row: string, change: GuardEdit): Promise<void>;
  /**
   * Writes another row of the partition together with the guard, in one transaction, as often as others change the guard
   * in between. Throws `ApiError` 503 after too many rounds.
   */
  writeCounted<T extends object>(write: CountedWrite<T>): Promise<{ etag: string; written: KnownGuard } | T>;
}

export interface CountedWrite<T> {
  partition: string;
  guardRow: string;
  /** How the guard is expected to stand; undefined: it is not there. */
  known: KnownGuard | undefined;
  /** What the guard becomes; may throw to refuse. */
  count: Admit;
  /** Writes the row that is counted. */
  action: TransactionAction;
  /**
   * After a conflict: what ends the matter; undefined: only the guard stood in the way.
   *
   * @param repeated the write went out more than once, so that the conflict may be with itself.
   */
  settle(repeated: boolean): Promise<T | undefined>;
}

export function createGuards({ sessions, retryPolicy }: StorageTables): Guards {
  return { read, update, writeCounted };

  async function read(partition: string, row: string): Promise<KnownGuard | undefined> {
    const entity = await sessions.get(partition, row);
    return entity && { guard: readGuard(entity), etag: entity.etag };
  }

  async function pause(round: number): Promise<void> {
    const { random } = retryPolicy;
    await retryPolicy.sleep(backoff(round, { firstDelayMs: firstPauseMs, maxDelayMs: maxPauseMs, random }) * random());
  }

  async function update(partition: string, row: string, change: GuardEdit): Promise<void> {
    for (let round = 1; round <= maxGuardRounds; round++) {
      const known = await read(partition, row);
      const changed = change(known?.guard);
      if (changed === undefined || (await write(partition, row, changed, known?.etag))) return;
      await pause(round);
    }
    throw new ApiError(503, "ServerBusy", "Too much is being done for this caller at once.", { retryAfter: "1" });
  }

  async function writeCounted<T extends object>({
    partition,
    guardRow,
    known: assumed,
    count,
    action,
    settle,
  }: CountedWrite<T>): Promise<{ etag: string; written: KnownGuard } | T> {
    let known = assumed;
    for (let round = 1; round <= maxGuardRounds; round++) {
      const guard = count(known?.guard);
      const entity = writeGuard(partition, guardRow, guard);
      const outcome = await sessions.transact([
        action,
        known === undefined ? ["create", entity] : ["update", entity, "Replace", { etag: known.etag }],
      ]);
      if (outcome.conflict === undefined) {
        const [etag = "*", guardEtag = "*"] = outcome.etags;
        return { etag, written: { guard, etag: guardEtag } };
      }
      if (round > 1) await pause(round - 1);
      const [settled, current] = await Promise.all([settle(outcome.conflict.repeated), read(partition, guardRow)]);
      if (settled !== undefined) return settled;
      known = current;
    }
    throw new ApiError(503, "ServerBusy", "Too many sessions are being created for this device at once.", {
      retryAfter: "1",
    });
  }

  /** False after a concurrent write. */
  async function write(partition: string, row: string, guard: Guard, etag: string | undefined): Promise<boolean> {
    if (etag !== undefined && countsNothing(guard)) return (await sessions.remove(partition, row, etag)) !== "changed";
    const entity = writeGuard(partition, row, guard);
    const { conflict } = await sessions.transact([
      etag === undefined ? ["create", entity] : ["update", entity, "Replace", { etag }],
    ]);
    if (conflict === undefined || !conflict.repeated) return conflict === undefined;
    // The answer of a write that did succeed may have been lost: then the row holds just what was to be written.
    return isDeepStrictEqual((await read(partition, row))?.guard, guard);
  }
}

function countsNothing({ recent, rejectionsInARow, lockedUntil }: Guard): boolean {
  return recent.length === 0 && rejectionsInARow === 0 && lockedUntil === undefined;
}

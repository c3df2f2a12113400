import { serverBusy } from "../api-errors.ts";
import type { Caller } from "../liveness/model/caller.ts";

/** Each scan holds up to about 20 MB of rows in memory. Creations need the rest. */
const maxRunning = 8;
/** A caller who reads slowly leaves slots to the others. */
const maxOfCaller = 4;

/** The callers that hold slots, each once for each of its slots. */
const running: string[] = [];

/**
 * Takes one of the process's slots for reading a whole window of outcomes. Returns a function that releases the slot.
 *
 * @throws ApiError 503 while all slots are taken, or half of them by this caller.
 */
export function takeScanSlot({ clientName, owner = `client ${clientName}` }: Caller): () => void {
  const isFull = running.length >= maxRunning || running.filter((holder) => holder === owner).length >= maxOfCaller;
  if (isFull) throw serverBusy("Too many exports and statistics are running.");
  running.push(owner);
  return () => {
    running.splice(running.indexOf(owner), 1);
  };
}

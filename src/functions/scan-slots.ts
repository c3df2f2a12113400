import { serverBusy } from "../api-errors.ts";

/** Each scan holds up to about 20 MB of rows in memory. Creations need the rest. */
const maxRunning = 8;

let running = 0;

/**
 * Takes one of the process's slots for reading a whole window of outcomes. Returns a function that releases the slot.
 *
 * @throws ApiError 503 while all slots are taken.
 */
export function takeScanSlot(): () => void {
  if (running >= maxRunning) throw serverBusy("Too many exports and statistics are running.");
  running += 1;
  return () => {
    running -= 1;
  };
}

import { serverBusy } from "../api-errors.ts";

/** Each holds up to about 20 MB of rows, which must not use up the memory that creations need. */
const maxRunning = 8;

let running = 0;

/**
 * Takes one of the process's places for reading a whole window of outcomes. Returns a function that gives it back.
 *
 * @throws ApiError 503 while all are taken.
 */
export function takeScanSlot(): () => void {
  if (running >= maxRunning) throw serverBusy("Too many exports and statistics are running.");
  running += 1;
  return () => {
    running -= 1;
  };
}

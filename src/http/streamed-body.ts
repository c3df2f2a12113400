import type { ServerResponse } from "node:http";
import { minuteMs } from "../time.ts";
import type { HttpAnswer } from "./responses.ts";

/** Time without progress after which a connection is ended: its reader holds memory and a storage query. */
const maxStallMs = minuteMs;

/**
 * Time after which a response is ended however steadily it is read. Less than `functionTimeout` of the host, which ends the
 * process, with all its requests, when a function runs longer.
 */
const maxTotalMs = 30 * minuteMs;

/** The reader took nothing for too long, or has read for too long. */
export class ReaderStalledError extends Error {
  override readonly name = "ReaderStalledError";
}

/**
 * Sends the head, and then the pieces of the body as fast as the reader takes them. If the reader disconnects, no further
 * piece is requested. The returned promise resolves when everything is sent or the reader has disconnected; it rejects
 * after the failure of the body, a stall of the reader or too long a time, each of which breaks the connection.
 *
 * @throws Error for an invalid header, before the first byte is written.
 */
export function startStream(
  response: ServerResponse,
  { status, headers }: Pick<HttpAnswer, "status" | "headers">,
  body: AsyncIterable<string>,
  stallMs: number = maxStallMs,
  totalMs: number = maxTotalMs,
): Promise<void> {
  response.writeHead(status, headers);
  return send(response, body, stallMs, performance.now() + totalMs);
}

async function send(
  response: ServerResponse,
  body: AsyncIterable<string>,
  stallMs: number,
  endTick: number,
): Promise<void> {
  try {
    for await (const piece of body) {
      if (response.destroyed) return;
      if (performance.now() >= endTick) throw new ReaderStalledError("The response has taken too long.");
      if (!response.write(piece)) await progress(response, "drain", stallMs);
      if (response.destroyed) return;
    }
    const finished = progress(response, "finish", stallMs);
    response.end();
    await finished;
  } catch (error) {
    // Without the last chunk, the reader detects that the body is not complete.
    response.destroy();
    throw error;
  }
}

/** Resolves after the event, or when the connection is closed. */
function progress(response: ServerResponse, event: "drain" | "finish", stallMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(new ReaderStalledError("The reader of the response has stalled.")), stallMs);
    const done = () => end();
    const end = (error?: Error) => {
      clearTimeout(timer);
      response.off(event, done).off("close", done);
      if (error === undefined) resolve();
      else reject(error);
    };
    response.once(event, done).once("close", done);
  });
}

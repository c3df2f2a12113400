import type { OutcomeEntry } from "../../../src/liveness/model/events.ts";
import { type Received, type Sent, send, user } from "./app.ts";
import { openIndexes } from "./outcomes.ts";
import type { World } from "./world.ts";

/** Requests for outcomes of all devices. */

export const reviewer = user("rita", "Liveness.Reviewer");

/** The time up to which the outcomes of `worldWith` are complete. */
export const asOf = "2026-03-01T11:55:00.000Z";

/** A world with these outcomes, a second after the start of time. */
export async function worldWith(entries: readonly OutcomeEntry[]): Promise<World> {
  const { world, index } = openIndexes();
  world.advance({ seconds: 1 });
  await index.put(entries);
  await index.setCompleteTo(asOf);
  return world;
}

/** @param query begins with a question mark, if there is one. */
export function list(world: World, query = "", sent: Sent = reviewer): Promise<Received> {
  return send(world, "GET", "/api/outcomes", { ...sent, query });
}

/** The values of an export as lines of JSON. */
export function linesOf(text: string): unknown[] {
  const lines = text.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

/** The resource of an outcome. */
export function shown({ creationId: _, place: __, ...resource }: OutcomeEntry) {
  return resource;
}

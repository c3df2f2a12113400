import { z } from "zod";

/** Messages of the parent process to the host, besides `stopRequest`. */
export const parentMessageShape = z.discriminatedUnion("type", [
  z.object({ type: z.literal("clock"), id: z.number(), offsetMs: z.number() }),
]);
export type ParentMessage = z.infer<typeof parentMessageShape>;

/** Messages of the host to its parent. `failed` is the last message of a host that could not start. */
export const hostMessageShape = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready"), port: z.number() }),
  z.object({ type: z.literal("failed"), message: z.string(), code: z.string().optional() }),
  z.object({ type: z.literal("clock"), id: z.number() }),
]);
export type HostMessage = z.infer<typeof hostMessageShape>;

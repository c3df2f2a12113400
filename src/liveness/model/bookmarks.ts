/** A walk of the timer that takes several runs. */
export type WalkName = "images" | "sessions" | "sessionids" | "users";

/** How far each walk has come. */
export interface Bookmarks {
  read(walk: WalkName): Promise<string | undefined>;
  /** Undefined removes the bookmark. */
  write(walk: WalkName, text: string | undefined): Promise<void>;
}

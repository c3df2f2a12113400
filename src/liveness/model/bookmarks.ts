/** A scan by the timer that takes several runs. */
export type WalkName = "images" | "outcomes" | "sessions" | "sessionids" | "users";

/** The position of each scan. */
export interface Bookmarks {
  read(walk: WalkName): Promise<string | undefined>;
  /** Undefined removes the bookmark. */
  write(walk: WalkName, text: string | undefined): Promise<void>;
}

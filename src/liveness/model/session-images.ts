/** Links from images of attempts, which the service keeps, to their sessions. */
export interface SessionImages {
  link(sessionImageId: string, sessionId: string): Promise<void>;
  /** The session's id. */
  sessionOf(sessionImageId: string): Promise<string | undefined>;
  unlink(sessionImageId: string): Promise<void>;
}

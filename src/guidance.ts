/**
 * Where a code occurs. `app`: errors of this app's responses; `decision`: reasons of a session's decision; `device`: errors
 * of attempts and of the device's SDK.
 */
export const codeSources = ["app", "decision", "device"] as const;
export type CodeSource = (typeof codeSources)[number];

/** What a code means for the developer of an app, and for its end user. */
export interface Guidance {
  /** HTTP status, for errors of this app only. */
  status?: number;
  /** For developers, one or more sentences of Markdown. */
  meaning: string;
  /** Whether the same request, or another attempt of the end user, may succeed later. */
  retryable: boolean;
  /** One sentence that an app shows to its end user or acts on. */
  advice: string;
}

/** Guidance by code, for a group of codes that call for the same reaction. */
export function advise<Code extends string, Entry extends Pick<Guidance, "status" | "meaning">>(
  retryable: boolean,
  advice: string,
  entries: Record<Code, Entry>,
) {
  const advised = Object.entries<Entry>(entries).map(([code, entry]) => [code, { ...entry, retryable, advice }]);
  // The compiler does not follow the keys through `entries` and `fromEntries`.
  return Object.fromEntries(advised) as Record<Code, Entry & Pick<Guidance, "retryable" | "advice">>;
}

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

/** Guidance for a group of codes that call for the same reaction. @param meanings by code. */
export function advise<Code extends string>(retryable: boolean, advice: string, meanings: Record<Code, string>) {
  return mapValues(meanings, (meaning) => ({ meaning, retryable, advice }));
}

/** Like `advise`, for errors of this app. @param errors status and meaning by code. */
export function adviseError<Code extends string>(
  retryable: boolean,
  advice: string,
  errors: Record<Code, readonly [status: number, meaning: string]>,
) {
  return mapValues(errors, ([status, meaning]) => ({ status, meaning, retryable, advice }));
}

function mapValues<Key extends string, From, To>(values: Record<Key, From>, map: (value: From) => To): Record<Key, To> {
  const mapped = Object.entries<From>(values).map(([key, value]) => [key, map(value)]);
  // The compiler does not follow the keys through `entries` and `fromEntries`.
  return Object.fromEntries(mapped) as Record<Key, To>;
}

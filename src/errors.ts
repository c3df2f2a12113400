/** A detail of an error, in addition to the message. */
export interface ErrorDetail {
  code: string;
  message: string;
  /** The invalid field, part, header or parameter. Never its value. */
  target: string;
}

/** Most details of one error. A body may have thousands of unknown fields. */
export const maxDetails = 16;
/** Longest target of a detail in UTF-16 code units. Targets may be text of the sender. */
const maxTarget = 64;

export interface ApiErrorOptions {
  /** Seconds, or an HTTP date. */
  retryAfter?: string;
  /** The first 16 are kept, each with a target of at most 64 characters. */
  details?: ErrorDetail[];
  /** Further response headers, such as `apim-request-id` or `Allow`. */
  headers?: Record<string, string>;
  cause?: unknown;
}

/**
 * An error for a caller, with the fields of the Face API's errors. Its message must be safe to disclose. All other errors are
 * answered with 500 `InternalServerError`, without their message.
 */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly retryAfter: string | undefined;
  readonly details: ErrorDetail[] | undefined;
  readonly headers: Record<string, string>;

  constructor(status: number, code: string, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = status;
    this.code = code;
    this.retryAfter = options.retryAfter;
    this.details = options.details
      ?.slice(0, maxDetails)
      .map((detail) => ({ ...detail, target: detail.target.slice(0, maxTarget).toWellFormed() }));
    this.headers = options.headers ?? {};
  }
}

/** A stored item has another shape than this version of the app reads, as after a return to an earlier version. */
export class UnreadableItem extends Error {
  override readonly name = "UnreadableItem";
}

/** For reads in which an item that cannot be read counts as missing. Throws every other error. */
export function unlessUnreadable(error: unknown): undefined {
  if (!(error instanceof UnreadableItem)) throw error;
}

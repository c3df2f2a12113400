/** One more fact about what is wrong with a request, beside the service's own sentence. */
export interface ErrorDetail {
  code: string;
  message: string;
  /** The field, part, header or parameter at fault. Never its value. */
  target: string;
}

/** Most details of one error; a body may have thousands of unknown fields. */
export const maxDetails = 16;
/** Of a detail's target, in UTF-16 code units. It may be the sender's own text, of any length. */
const maxTarget = 64;

export interface ApiErrorOptions {
  /** Seconds, or an HTTP date as the service sent it. */
  retryAfter?: string;
  /** The first 16 are kept, each with a target of at most 64 characters. */
  details?: ErrorDetail[];
  /** Further response headers, such as `apim-request-id` or `Allow`. */
  headers?: Record<string, string>;
  cause?: unknown;
}

/**
 * An error that may reach a caller: its HTTP status, its code and a message fit for strangers, in the shape of the Face
 * API. Whatever else is thrown anywhere is answered as 500 `InternalServerError` and tells the caller nothing.
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

import { accessDenied, invalidMediaType, invalidRequestBody, sessionNotFound } from "../../../src/api-errors.ts";
import { ApiError } from "../../../src/errors.ts";
import type { Fault } from "./faults.ts";
import { errorReply, type Reply } from "./http.ts";

/** The answer of a fault with a status: the service's error for that status, or the gateway's for 403 and 429. */
export function makeFaultReply(status: number, fault: Fault): Reply {
  const retryAfter = fault.retryAfter === undefined ? {} : { "retry-after": String(fault.retryAfter) };
  if (fault.code === undefined && (status === 403 || status === 429)) {
    // The gateway's error has a shape of its own, and no `x-ms-error-code`.
    const message = fault.message ?? (status === 403 ? outOfQuota : rateLimited(fault.retryAfter));
    return { status, headers: retryAfter, json: { error: { statusCode: status, message } } };
  }
  const usual = usualError(status);
  const reply = errorReply(new ApiError(status, fault.code ?? usual.code, fault.message ?? usual.message));
  return { ...reply, headers: { ...reply.headers, ...retryAfter } };
}

const outOfQuota = "Out of call volume quota. Quota will be replenished in 2 days.";

function rateLimited(retryAfter: number | string | undefined): string {
  return `Rate limit is exceeded. Try again in ${typeof retryAfter === "number" ? retryAfter : 26} seconds.`;
}

function usualError(status: number): { code: string; message: string } {
  switch (status) {
    case 400:
      return invalidRequestBody();
    case 401:
      return accessDenied();
    case 404:
      return sessionNotFound();
    case 415:
      return invalidMediaType();
    case 503:
      return { code: "ServiceUnavailable", message: "The service is temporarily unavailable." };
    default:
      return status < 500
        ? { code: "Unspecified", message: "The request was refused." }
        : { code: "InternalServerError", message: "An unexpected error occurred in the service." };
  }
}

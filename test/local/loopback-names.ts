import type { IncomingHttpHeaders } from "node:http";
import { ApiError } from "../../src/errors.ts";

const loopbackName = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/**
 * Refuses requests for host names other than loopback ones. A web page can make its own name resolve to 127.0.0.1 (DNS
 * rebinding) and then call a local server that requires no key. The `Host` of such a request is the page's name. A dev tunnel
 * replaces `Host` by `localhost`, and its own name is in `X-Forwarded-Host`.
 *
 * @throws ApiError 421 `MisdirectedRequest`.
 */
export function requireLoopbackName({ host, "x-forwarded-host": forwarded }: IncomingHttpHeaders): void {
  const names = [host, ...(forwarded === undefined ? [] : [forwarded].flat())];
  if (names.every((name) => name !== undefined && loopbackName.test(name))) return;
  const message = "Without client keys only localhost, 127.0.0.0/8 and [::1] are answered here.";
  throw new ApiError(421, "MisdirectedRequest", message);
}

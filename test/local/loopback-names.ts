import { ApiError } from "../../src/errors.ts";

const loopbackName = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/**
 * Refuses a request for any name but one of this machine's own. A page of any web site can have its own name resolved to
 * 127.0.0.1 (DNS rebinding) and then call what listens here and asks for no key; its `Host` still gives the page away.
 *
 * @param host the header `Host`.
 * @throws ApiError 421 `MisdirectedRequest`.
 */
export function requireLoopbackName(host: string | undefined): void {
  if (host !== undefined && loopbackName.test(host)) return;
  const message = "Without client keys only localhost, 127.0.0.0/8 and [::1] are answered here.";
  throw new ApiError(421, "MisdirectedRequest", message);
}

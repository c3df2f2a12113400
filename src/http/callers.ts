import { createHash, timingSafeEqual } from "node:crypto";
import * as z from "zod";
import { accessDenied } from "../api-errors.ts";
import type { Caller } from "../liveness/model/caller.ts";

export interface CallerRules {
  clientKeys: ReadonlyMap<string, readonly string[]>;
  allowAnonymous: boolean;
  platformAuthentication: boolean;
}

/** The role that makes a principal a trusted service. */
const serviceRole = "Liveness.Service";

const keyHeaders = ["ocp-apim-subscription-key", "x-functions-key"];

/**
 * The one place that says who may come in. A key and a principal may come together: the key grants, the principal owns.
 *
 * @throws ApiError 401 `Unspecified`: no way in was shown, or one that was shown does not hold.
 */
export function authenticate(rules: CallerRules, headers: Headers): Caller {
  const key = keyHeaders.map((name) => headers.get(name)).find((value) => value !== null && value !== "");
  const clientName = key ? findClient(rules.clientKeys, key) : undefined;
  // A stack without keys takes any: the client libraries always send one.
  const keysMatter = rules.clientKeys.size > 0 || !rules.allowAnonymous;
  if (key && clientName === undefined && keysMatter) throw accessDenied();
  const principal = rules.platformAuthentication ? readPrincipal(headers) : undefined;
  if (clientName === undefined && principal === undefined && !rules.allowAnonymous) throw accessDenied();
  return {
    trusted: clientName !== undefined || (principal === undefined ? rules.allowAnonymous : principal.isService),
    ...(clientName !== undefined && { clientName }),
    ...(principal !== undefined && { owner: principal.owner }),
  };
}

/** Compares with every digest of every client, so that the time taken tells nothing. */
function findClient(clientKeys: CallerRules["clientKeys"], key: string): string | undefined {
  const digest = createHash("sha256").update(key).digest();
  let found: string | undefined;
  for (const [name, digests] of clientKeys) {
    for (const candidate of digests) {
      if (timingSafeEqual(digest, Buffer.from(candidate, "hex"))) found = name;
    }
  }
  return found;
}

/** `x-ms-client-principal` of App Service Authentication: base64 of this JSON. */
const principalHeader = z.object({
  auth_typ: z.string().min(1),
  role_typ: z.string().optional(),
  claims: z.array(z.object({ typ: z.string(), val: z.string() })),
});

/** Claims that name a principal for good, the best first. */
const idClaims = [
  "http://schemas.microsoft.com/identity/claims/objectidentifier",
  "oid",
  "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
  "sub",
];

function readPrincipal(headers: Headers): { owner: string; isService: boolean } | undefined {
  const header = headers.get("x-ms-client-principal");
  if (header === null) return undefined;
  const parsed = principalHeader.safeParse(decodeJson(header));
  if (!parsed.success) throw accessDenied();
  const { auth_typ: provider, role_typ: roleType, claims } = parsed.data;
  const id =
    idClaims.map((typ) => claims.find((claim) => claim.typ === typ)?.val).find((val) => val) ??
    headers.get("x-ms-client-principal-id");
  if (!id) throw accessDenied();
  const roleTypes = new Set(["roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role", roleType]);
  return {
    // The length of the provider's name keeps two pairs from running into one.
    owner: createHash("sha256").update(`${provider.length}:${provider}:${id}`).digest("hex"),
    isService: claims.some((claim) => roleTypes.has(claim.typ) && claim.val === serviceRole),
  };
}

function decodeJson(base64: string): unknown {
  // The decoder itself reads over whatever is no base64, such as a second header behind the first.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  try {
    return JSON.parse(Buffer.from(base64, "base64").toString("utf8"));
  } catch {
    return undefined;
  }
}

import { createHash, timingSafeEqual } from "node:crypto";
import * as z from "zod";
import { accessDenied } from "../api-errors.ts";
import { compact } from "../compact.ts";
import type { Caller } from "../liveness/model/caller.ts";

export interface CallerRules {
  /** Client name → lower-case SHA-256 hex digests of its keys. */
  clientKeys: ReadonlyMap<string, readonly string[]>;
  allowAnonymous: boolean;
  /** App Service Authentication is enabled, so the principal header is trustworthy. */
  platformAuthentication: boolean;
}

/** App role of trusted services. */
const serviceRole = "Liveness.Service";
/** App role of people who read the outcomes of all devices. */
const reviewerRole = "Liveness.Reviewer";

const keyHeaders = ["ocp-apim-subscription-key", "x-functions-key"];

/**
 * Authenticates a request by client key, by principal, or by both: then the key makes the caller trusted, and the principal
 * is the owner of what the request creates.
 *
 * @throws ApiError 401 `Unspecified` for missing or invalid credentials.
 */
export function authenticate(rules: CallerRules, headers: Headers): Caller {
  const key = keyHeaders.map((name) => headers.get(name)).find((value) => value !== null && value !== "");
  const clientName = key ? findClient(rules.clientKeys, key) : undefined;
  // Without configured keys the local stack accepts any key, since the client libraries always send one.
  const checksKeys = rules.clientKeys.size > 0 || !rules.allowAnonymous;
  if (key && clientName === undefined && checksKeys) throw accessDenied();
  const principal = rules.platformAuthentication ? readPrincipal(headers) : undefined;
  if (clientName === undefined && principal === undefined && !rules.allowAnonymous) throw accessDenied();
  const trusted = clientName !== undefined || (principal === undefined ? rules.allowAnonymous : principal.isService);
  return compact({ trusted, clientName, owner: principal?.owner, isReviewer: principal?.isReviewer || undefined });
}

/** Compares with every digest of every client, so that the duration discloses nothing about the keys. */
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

/** Claims with a permanent id of a principal, in order of preference. */
const idClaims = [
  "http://schemas.microsoft.com/identity/claims/objectidentifier",
  "oid",
  "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
  "sub",
];

function readPrincipal(headers: Headers): { owner: string; isService: boolean; isReviewer: boolean } | undefined {
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
  const hasRole = (role: string) => claims.some(({ typ, val }) => roleTypes.has(typ) && val === role);
  return {
    // The length of the provider's name makes the concatenation unambiguous.
    owner: createHash("sha256").update(`${provider.length}:${provider}:${id}`).digest("hex"),
    isService: hasRole(serviceRole),
    isReviewer: hasRole(reviewerRole),
  };
}

function decodeJson(base64: string): unknown {
  // `Buffer.from` ignores characters that are not base64, such as the comma before a second header's value.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  try {
    return JSON.parse(Buffer.from(base64, "base64").toString("utf8"));
  } catch {
    return undefined;
  }
}

import { authenticate } from "../../../src/http/callers.ts";

/** Headers of the platform for an authenticated user. */
export function principal(id: string, ...roles: string[]): Record<string, string> {
  const claims = [{ typ: "oid", val: id }, ...roles.map((role) => ({ typ: "roles", val: role }))];
  const value = { auth_typ: "aad", name_typ: "name", role_typ: "roles", claims };
  return { "x-ms-client-principal": Buffer.from(JSON.stringify(value)).toString("base64") };
}

/** A key of the client `a-service`, in settings and in request headers. */
export const clientKey = {
  settings: {
    WEBSITE_AUTH_ENABLED: "true",
    CLIENT_KEYS: '{"a-service":["2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"]}',
  },
  headers: { "ocp-apim-subscription-key": "key" },
};

/** The owner of the sessions and images of this user. */
export function ownerOf(id: string): string {
  const rules = { clientKeys: new Map(), allowAnonymous: false, platformAuthentication: true };
  return authenticate(rules, new Headers(principal(id))).owner ?? "";
}

import type { TokenCredential } from "@azure/identity";

/**
 * The app's own identity. The library behind it is large, and an app with a key never needs it, so it is loaded with
 * the first token.
 *
 * @param clientId of a user-assigned identity; without it, the system-assigned one (or who is logged in, on a laptop).
 */
export function createIdentity(clientId: string | undefined): TokenCredential {
  let loaded: Promise<TokenCredential> | undefined;
  const load = async (): Promise<TokenCredential> => {
    const { DefaultAzureCredential } = await import("./default-credential.ts");
    return new DefaultAzureCredential(clientId === undefined ? {} : { managedIdentityClientId: clientId });
  };
  return {
    async getToken(scopes, options) {
      loaded ??= load();
      return (await loaded).getToken(scopes, options);
    },
  };
}

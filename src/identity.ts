import type { TokenCredential } from "@azure/identity";

/**
 * The app's identity. The Azure Identity library is large, and an app with keys does not use it, so it is loaded when the
 * first token is requested.
 *
 * @param clientId of a user-assigned identity. Default: the system-assigned one, or the developer's login.
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

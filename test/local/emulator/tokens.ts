import { decodeJwt, generateKeyPair, jwtVerify, SignJWT } from "jose";

const issuer = "face-emulator";
const algorithm = "ES256";

/** The tokens that sessions hand to their devices: JWTs, signed with a key that lives as long as the emulator. */
export interface SessionTokens {
  /** A token with `sid` (the session), `iat` and `exp`; both times in seconds since the epoch. */
  issue(sessionId: string, issuedAt: number, expiresAt: number): Promise<string>;
  /** The session that a token is for; undefined where it is not a token of ours, or past its time. */
  verify(token: string, nowMs: number): Promise<string | undefined>;
  /** Whether the token claims to be one of ours. Its signature is not looked at. */
  isSessionToken(token: string): boolean;
}

export async function createSessionTokens(): Promise<SessionTokens> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm);
  return {
    issue: (sessionId, issuedAt, expiresAt) =>
      new SignJWT({ sid: sessionId })
        .setProtectedHeader({ alg: algorithm, typ: "JWT" })
        .setIssuer(issuer)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(privateKey),

    async verify(token, nowMs) {
      try {
        const { payload } = await jwtVerify(token, publicKey, {
          algorithms: [algorithm],
          issuer,
          currentDate: new Date(nowMs),
        });
        return typeof payload.sid === "string" ? payload.sid : undefined;
      } catch {
        return undefined;
      }
    },

    isSessionToken(token) {
      try {
        return decodeJwt(token).iss === issuer;
      } catch {
        return false;
      }
    },
  };
}

import { decodeJwt, generateKeyPair, jwtVerify, SignJWT } from "jose";

const issuer = "face-emulator";
const algorithm = "ES256";

/** The tokens of sessions: JWTs, signed with a key that is created with the emulator. */
export interface SessionTokens {
  /** A token with `sid` (the session), `iat` and `exp`; both times in seconds since the epoch. */
  issue(sessionId: string, issuedAt: number, expiresAt: number): Promise<string>;
  /** The session of a token; undefined for an invalid or expired one. */
  verify(token: string, nowMs: number): Promise<string | undefined>;
  /** Whether the token names this emulator. Does not verify the signature. */
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

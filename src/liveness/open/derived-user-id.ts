import { createHmac } from "node:crypto";

export function deriveUserId(
  key = "",
  {
    owner,
    deviceCorrelationId,
    creationId,
  }: { owner?: string | undefined; deviceCorrelationId?: string | undefined; creationId: string },
): string {
  return createHmac("sha256", key)
    .update(owner ?? deviceCorrelationId ?? creationId)
    .digest("hex")
    .slice(0, 36);
}

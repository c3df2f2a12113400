import assert from "node:assert/strict";
import { test } from "node:test";
import { takeScanSlot } from "../../../src/functions/scan-slots.ts";

test("a caller holds half of the places -> refused, until one is given back; other callers are not", () => {
  const [slow, other] = [
    { trusted: false, owner: "slow" },
    { trusted: true, clientName: "other" },
  ];
  const held = Array.from({ length: 4 }, () => takeScanSlot(slow));
  assert.throws(() => takeScanSlot(slow), { status: 503, code: "ServerBusy" });
  held.push(...Array.from({ length: 4 }, () => takeScanSlot(other)));
  held.shift()?.();
  held.push(takeScanSlot(slow));
  for (const giveBack of held) giveBack();
});

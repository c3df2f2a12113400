import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkSignature, type SignedWebhook } from "../../local/webhook-signature.ts";

/** The example of the Standard Webhooks specification. */
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const example: SignedWebhook = {
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestamp: "1614265330",
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  body: Buffer.from('{"test": 2432232314}'),
};
const now = 1_614_265_330_000;
const otherSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

test("the specification's example is valid", () => {
  assert.equal(checkSignature(example, [secret], now), "valid");
});

test("one signature of several, and one secret of several, is sufficient", () => {
  const signature = `v1a,AAAA v1,AAAA ${example.signature} v2,AAAA`;
  assert.equal(checkSignature({ ...example, signature }, [otherSecret, secret], now), "valid");
});

describe("a signature that does not match", () => {
  const changes: Record<string, Partial<SignedWebhook>> = {
    "another id": { id: "msg_other" },
    "another timestamp": { timestamp: "1614265331" },
    "another body": { body: Buffer.from('{"test":2432232314}') },
    "no version": { signature: "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
    "another version": { signature: "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
    "a part of it": { signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE" },
  };
  for (const [name, change] of Object.entries(changes)) {
    test(name, () => assert.equal(checkSignature({ ...example, ...change }, [secret], now), "mismatch"));
  }
  test("another secret, or none", () => {
    assert.equal(checkSignature(example, [otherSecret], now), "mismatch");
    assert.equal(checkSignature(example, [], now), "mismatch");
  });
});

test("a missing header, or a timestamp that is no number of seconds", () => {
  for (const header of ["id", "timestamp", "signature"]) {
    assert.equal(checkSignature({ ...example, [header]: undefined }, [secret], now), "missing", header);
  }
  for (const timestamp of ["", "1614265330.0", "2021-02-25T15:02:10Z", "-1"]) {
    assert.equal(checkSignature({ ...example, timestamp }, [secret], now), "missing", timestamp);
  }
});

test("the timestamp may differ from the clock by five minutes", () => {
  const tolerance = 300_000;
  assert.equal(checkSignature(example, [secret], now + tolerance), "valid");
  assert.equal(checkSignature(example, [secret], now + tolerance + 1), "tooOld");
  assert.equal(checkSignature(example, [secret], now - tolerance), "valid");
  assert.equal(checkSignature(example, [secret], now - tolerance - 1), "tooNew");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Resolve } from "../../../src/events/addresses.ts";
import { createWebhookTarget } from "../../../src/events/webhook-target.ts";

test("the servers of a name do not answer -> one look-up at a time, however many events are delivered", async () => {
  let lookUps = 0;
  const answers: (() => void)[] = [];
  const resolve: Resolve = (_hostname, _options, callback) => {
    lookUps += 1;
    answers.push(() => callback(null, [{ address: "10.0.0.1", family: 4 }]));
  };
  const target = createWebhookTarget({
    endpoint: { name: "crm", url: "https://a-name.test/", secrets: [`whsec_${Buffer.alloc(32).toString("base64")}`] },
    ...{ source: "an-app", allowsPrivateAddresses: false, resolve, now: Date.now, timeoutMs: 200 },
    states: { isDisabled: async () => false, disable: async () => undefined },
  });
  const deliver = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, number) =>
        target.deliver({
          id: `${number}`,
          type: "liveness.webhook.test",
          occurredOn: "2026-03-01T12:00:00.000Z",
          data: {},
        }),
      ),
    );
  for (const result of await deliver(10)) assert.deepEqual(result, { outcome: "retry", cause: "Timeout" });
  // The look-up still occupies its thread.
  await deliver(2);
  assert.equal(lookUps, 1);
  const checked = deliver(2);
  await new Promise(setImmediate);
  answers[0]?.();
  for (const result of await checked) assert.deepEqual(result, { outcome: "retry", cause: "AddressNotAllowed" });
  const again = deliver(1);
  await new Promise(setImmediate);
  assert.equal(lookUps, 2, "a later delivery asks again");
  answers[1]?.();
  await again;
});

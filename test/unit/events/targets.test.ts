import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createEndpointSwitch } from "../../../src/events/endpoint-states.ts";
import { createTargets } from "../../../src/events/targets.ts";
import type { WebhookEndpoint } from "../../../src/events/webhook-endpoint.ts";
import type { LivenessEvent } from "../../../src/liveness/model/events.ts";
import { createEndpointStates } from "../../../src/storage/stores/endpoint-states.ts";
import { createCalls } from "../fakes/calls.ts";
import { createMemoryTable } from "../fakes/memory-table.ts";

const secrets = [`whsec_${Buffer.alloc(32, 1).toString("base64")}`];
const crm: WebhookEndpoint = { name: "crm", url: "https://crm.example.com/?code=hidden", secrets };
const event: LivenessEvent = {
  ...{ id: "one", type: "liveness.session.decided", occurredOn: "2026-03-01T12:00:00.000Z", data: {} },
};
const startMs = Date.parse(event.occurredOn);

/** Instances with a clock on one table of states. Each records its requests. */
function arrange() {
  const outcomes = createMemoryTable("outcomes");
  const clock = { nowMs: startMs };
  const now = () => clock.nowMs;
  return {
    ...{ outcomes, clock, now },
    open() {
      const calls = createCalls();
      const states = createEndpointStates({ outcomes: outcomes.open(calls) });
      return { calls, states, switch: createEndpointSwitch(states, now) };
    },
  };
}

describe("disabled endpoints", () => {
  test("are stored for all instances, until any of their settings changes", async () => {
    const { open, outcomes } = arrange();
    await open().switch.disable(crm);
    const other = open().switch;
    assert.equal(await other.isDisabled(crm), true);
    const changed = { name: "other", url: `${crm.url}2`, secrets: [...secrets, ...secrets], types: [event.type] };
    for (const [field, value] of Object.entries(changed)) {
      assert.equal(await other.isDisabled({ ...crm, [field]: value }), false, field);
    }
    const [row, ...rest] = outcomes.all();
    assert.deepEqual([row?.partitionKey, row?.rowKey, row?.disabledOn], ["endpoints", "crm", event.occurredOn]);
    assert.deepEqual(rest, []);
    assert.doesNotMatch(JSON.stringify(row), /whsec|hidden|AQEB/);
  });

  test("are read once a minute, for all endpoints and concurrent deliveries together", async () => {
    const { open, clock } = arrange();
    const [one, two] = [open(), open()];
    await Promise.all([one.switch.isDisabled(crm), one.switch.isDisabled({ ...crm, name: "other" })]);
    await two.switch.disable(crm);
    clock.nowMs += 59_999;
    assert.equal(await one.switch.isDisabled(crm), false);
    assert.equal(one.calls.names.length, 1);
    clock.nowMs += 1;
    assert.equal(await one.switch.isDisabled(crm), true);
    assert.deepEqual(one.calls.names, ["outcomes.query", "outcomes.query"]);
  });

  test("are read again after a failed read", async () => {
    let reads = 0;
    const states = {
      async disabled() {
        reads += 1;
        if (reads === 1) throw new Error("storage is unavailable");
        return [];
      },
      disable: async () => undefined,
    };
    const endpoints = createEndpointSwitch(states, () => startMs);
    await assert.rejects(endpoints.isDisabled(crm));
    assert.equal(await endpoints.isDisabled(crm), false);
  });
});

describe("targets", () => {
  const config = { source: "an-app", endpoints: [crm], allowsPrivateAddresses: false };
  const topic = { ...config, eventGridTopic: "https://topic.example/api/events" };

  test("are the endpoints in their order, and the topic if there is one", () => {
    const { open, now } = arrange();
    const deps = { states: open().states, now, connectEventGrid: async () => assert.fail("nothing is delivered") };
    const namesOf = (events: typeof config) => createTargets(events, deps).map(({ name }) => name);
    assert.deepEqual(namesOf({ ...config, endpoints: [] }), []);
    assert.deepEqual(namesOf({ ...topic, endpoints: [crm, { ...crm, name: "z" }] }), ["crm", "z", "event-grid"]);
  });

  test("accept their types, and test events always", () => {
    const { open, now } = arrange();
    const only: WebhookEndpoint = { ...crm, types: ["liveness.user.erased"] };
    const [all, some] = createTargets({ ...config, endpoints: [crm, only] }, { states: open().states, now });
    assert.deepEqual([all?.accepts("liveness.session.decided"), all?.accepts("liveness.user.erased")], [true, true]);
    assert.deepEqual([some?.accepts("liveness.session.decided"), some?.accepts("liveness.user.erased")], [false, true]);
    assert.equal(some?.accepts("liveness.webhook.test"), true);
  });

  test("share what was read: a disabled endpoint is gone without a request to it", async () => {
    const { open, now } = arrange();
    await open().switch.disable(crm);
    const { states, calls } = open();
    const [target] = createTargets(config, { states, now });
    for (const _ of [1, 2]) assert.deepEqual(await target?.deliver(event), { outcome: "gone" });
    assert.deepEqual(calls.names, ["outcomes.query"]);
  });

  test("the topic is connected once, and again after a failure", async () => {
    const { open, now } = arrange();
    let connected = 0;
    const connectEventGrid = async () => {
      connected += 1;
      if (connected === 1) throw new Error("hidden");
      return { deliver: async () => ({ outcome: "delivered" }) as const };
    };
    const deps = { states: open().states, now, connectEventGrid };
    const [target] = createTargets({ ...topic, endpoints: [] }, deps);
    assert.deepEqual(await target?.deliver(event), { outcome: "retry", cause: "NotLoaded" });
    for (const _ of [1, 2]) assert.deepEqual(await target?.deliver(event), { outcome: "delivered" });
    assert.equal(connected, 2);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configOf, faultsOf } from "./fakes/settings.ts";

const setting = "WEBHOOK_ENDPOINTS";
const secretOf = (bytes: number, fill = 1) => `whsec_${Buffer.alloc(bytes, fill).toString("base64")}`;
const crm = { name: "crm", url: "https://crm.example.com/liveness?code=s3cr3t", secrets: [secretOf(32)] };
const eventsOf = (env: Record<string, string>) => configOf(env).events;
const endpointsOf = (...list: object[]) => eventsOf({ [setting]: JSON.stringify(list) }).endpoints;

describe("WEBHOOK_ENDPOINTS", () => {
  test("lists endpoints with one or two secrets, and optionally types", () => {
    const both = { ...crm, name: "A-Z_9", secrets: [secretOf(24), secretOf(64)], types: ["liveness.session.decided"] };
    assert.deepEqual(endpointsOf(crm, both), [crm, both]);
    assert.deepEqual(endpointsOf(), []);
    const ten = Array.from({ length: 10 }, (_, index) => ({ ...crm, name: `${index}`.padStart(64, "n") }));
    assert.deepEqual(endpointsOf(...ten), ten);
  });

  const shape = "must be JSON: a list of at most 10 endpoints with name, url, secrets and optionally types";
  const names = "names must have 1 to 64 letters, digits, hyphens and underscores, be unique, and not event-grid";
  const urls = "URLs must be https, or http to this machine";
  const secrets = "each endpoint needs one or two secrets: whsec_ and 24 to 64 bytes in base64";
  const types = [
    ...["liveness.session.decided", "liveness.device.locked_out", "liveness.device.erased", "liveness.user.erased"],
    "liveness.webhook.test",
  ];
  const typesMessage = `types must be some of ${types.join(", ")}`;

  for (const [what, value, message] of [
    ["broken JSON", '[{"name":"s3cr3t"', shape],
    ["one endpoint without a list", JSON.stringify(crm), shape],
    ["a list of texts", '["s3cr3t"]', shape],
    ["null", "null", shape],
    ["a field that does not exist", JSON.stringify([{ ...crm, s3cr3t: 1 }]), shape],
    ["eleven endpoints", JSON.stringify(Array.from({ length: 11 }, (_, name) => ({ ...crm, name: `${name}` }))), shape],
    ...["", "a b", "s3cr3t/", "é", "n".repeat(65), 1, undefined].map(
      (name) => [`the name ${name}`, JSON.stringify([{ ...crm, name }]), names] as const,
    ),
    ["a name twice", JSON.stringify([crm, crm]), names],
    ["the name of the Event Grid topic", JSON.stringify([{ ...crm, name: "event-grid" }]), names],
    ...["s3cr3t", "ftp://s3cr3t.example", "http://s3cr3t.example", "http://localhost.example", "https://", 1].map(
      (url) => [`the URL ${url}`, JSON.stringify([{ ...crm, url }]), urls] as const,
    ),
    ...[
      ...[undefined, [], secretOf(32), [1], ["s3cr3t"], [secretOf(23)], [secretOf(65)], [secretOf(32).slice(6)]],
      ...[[`${secretOf(32)} `], [secretOf(32).replace(/=+$/, "")], [secretOf(32, 255).replaceAll("/", "_")]],
      [secretOf(32), secretOf(32), secretOf(32)],
    ].map((wrong) => [`the secrets ${wrong}`, JSON.stringify([{ ...crm, secrets: wrong }]), secrets] as const),
    ...[[], "liveness.session.decided", ["s3cr3t"], [null]].map(
      (wrong) => [`the types ${wrong}`, JSON.stringify([{ ...crm, types: wrong }]), typesMessage] as const,
    ),
  ] as const) {
    test(`refuses ${what}, without its value in the fault`, () => {
      assert.deepEqual(faultsOf({ [setting]: value }), [{ setting, message }]);
    });
  }

  test("allows plain http to this machine only outside of Azure", () => {
    for (const host of ["localhost:7090", "127.0.0.1", "[::1]:80"]) {
      const local = { ...crm, name: "local", url: `http://${host}/events` };
      assert.deepEqual(endpointsOf(local), [local]);
      for (const name of ["WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME"]) {
        const faults = faultsOf({ [setting]: JSON.stringify([crm, local]), [name]: "an-instance" });
        assert.deepEqual(faults, [{ setting, message: "must have https URLs only in Azure" }], host);
      }
    }
  });
});

test("private addresses are allowed on the local stack only", () => {
  assert.equal(eventsOf({}).allowsPrivateAddresses, true);
  for (const name of ["WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME"]) {
    assert.equal(eventsOf({ [name]: "an-instance" }).allowsPrivateAddresses, false, name);
  }
});

test("the source of events is the app's name as a URI reference", () => {
  assert.equal(eventsOf({ WEBSITE_SITE_NAME: "func-x" }).source, "func-x");
  assert.equal(eventsOf({ WEBSITE_SITE_NAME: "a name:1" }).source, "a%20name%3A1");
});

test("EVENT_GRID_TOPIC_ENDPOINT is an https URL", () => {
  const name = "EVENT_GRID_TOPIC_ENDPOINT";
  const url = "https://topic-x.westeurope-1.eventgrid.azure.net/api/events";
  assert.equal(eventsOf({ [name]: url }).eventGridTopic, url);
  const message = "must be the https URL of an Event Grid topic";
  for (const wrong of ["s3cr3t", "http://localhost/s3cr3t", "https://"]) {
    assert.deepEqual(faultsOf({ [name]: wrong }), [{ setting: name, message }], wrong);
  }
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { type Config, readConfig, settings } from "../../src/config.ts";
import { configOf, connectionString, endpoint, faultsOf, minimal, storageMissing } from "./fakes/settings.ts";
import { testProperty } from "./property.ts";

/** Whole numbers, with their place in the configuration. The ranges are those that the settings declare. */
const numbers: Record<string, (config: Config) => number> = {
  FACE_TIMEOUT_SECONDS: ({ face }) => face.timeoutSeconds,
  CREATION_LIMIT: ({ limits }) => limits.creations,
  CREATION_WINDOW_SECONDS: ({ limits }) => limits.windowSeconds,
  OWNER_CREATION_LIMIT: ({ limits }) => limits.ownerCreations,
  OWNER_IMAGE_LIMIT: ({ limits }) => limits.ownerImages,
  LOCKOUT_REJECTIONS: ({ limits }) => limits.lockoutRejections,
  LOCKOUT_SECONDS: ({ limits }) => limits.lockoutSeconds,
  SESSION_RETENTION_HOURS: ({ retention }) => retention.sessionHours,
  OUTCOME_RETENTION_DAYS: ({ retention }) => retention.outcomeDays,
  MAINTENANCE_CONCURRENCY: ({ maintenance }) => maintenance.concurrency,
  MAINTENANCE_FACE_CALLS_PER_SECOND: ({ maintenance }) => maintenance.faceCallsPerSecond,
  MAINTENANCE_BUDGET_SECONDS: ({ maintenance }) => maintenance.budgetSeconds,
};

const userIdKey = "k".repeat(32);
const inAzure = ["WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME"];
const flagValues = { "": false, true: true, True: true, TRUE: true, "1": true, false: false, False: false, "0": false };
const topic = "https://topic-x.westeurope-1.eventgrid.azure.net/api/events";
const versions = ["v1.1-preview.1", "v1.2-preview.1", "v1.2", "v1.3-preview.1"];
const same = (...texts: string[]) => Object.fromEntries(texts.map((text) => [text, text]));

/** Settings with their place in the configuration, and texts with the values that they are read as. */
const accepted: [setting: string, of: (config: Config) => unknown, values: Record<string, unknown>][] = [
  ["ALLOW_ANONYMOUS", ({ callers }) => callers.allowAnonymous, flagValues],
  ["WEBSITE_AUTH_ENABLED", ({ callers }) => callers.platformAuthentication, flagValues],
  ["REQUIRE_CLIENT_DIGEST", ({ rules }) => rules.requireClientDigest, flagValues],
  ["ALLOW_DEVICE_SET_IN_CLIENT", ({ policy }) => policy.allowDeviceSetInClient, flagValues],
  [
    "REFERENCE_IMAGE_RETENTION_DAYS",
    ({ retention }) => retention.referenceImageDays,
    { "": undefined, "0": undefined, "1": 1, "3650": 3650 },
  ],
  [
    "VERIFY_CONFIDENCE_FLOOR",
    ({ policy }) => policy.confidenceFloor,
    { "0": 0, "0.85": 0.85, "1": 1, "1.0": 1, "": 0 },
  ],
  ["USER_ID_KEY", ({ policy }) => policy.userIdKey, same(userIdKey, "k".repeat(256))],
  ["FACE_API_VERSION", ({ face }) => face.apiVersion, same(...versions)],
  ["FACE_ENDPOINT", ({ face }) => face.endpoint, { [`${endpoint}/`]: endpoint, [`${endpoint}///`]: endpoint }],
  [
    "FACE_ENDPOINT",
    ({ face }) => face.endpoint,
    same(endpoint, "http://localhost:7080", "http://127.0.0.1:7080", "http://127.8.9.1", "http://[::1]:7080"),
  ],
  ["FACE_KEY", ({ face }) => face.key, same("a-face-key")],
  ["AZURE_CLIENT_ID", ({ face }) => face.identityClientId, same("an-identity")],
  ["WEBSITE_SITE_NAME", ({ events }) => events.source, { "func-x": "func-x", "a name:1": "a%20name%3A1" }],
  ["EVENT_GRID_TOPIC_ENDPOINT", ({ events }) => events.eventGridTopic, same(topic)],
];
const flag = "must be true or false";
const url = "must be the URL of a Face resource";
/** Settings with their fault, and texts that have it. */
const refused: [setting: string, message: string, ...texts: string[]][] = [
  ["ALLOW_ANONYMOUS", flag, "maybe"],
  ["WEBSITE_AUTH_ENABLED", flag, "maybe"],
  ["REQUIRE_CLIENT_DIGEST", flag, "maybe"],
  ["ALLOW_DEVICE_SET_IN_CLIENT", flag, "maybe"],
  ["REFERENCE_IMAGE_RETENTION_DAYS", "must be a whole number from 0 to 3650", "-1", "3651", "never"],
  ["VERIFY_CONFIDENCE_FLOOR", "must be a number from 0 to 1", "-0.1", "1.01", "0,5", "high", "1e-1", "NaN", ".5"],
  ["USER_ID_KEY", "must have 32 to 256 characters", "k", "k".repeat(31), "k".repeat(257)],
  ["FACE_API_VERSION", `must be one of ${versions.join(", ")}`, "v1.3", "V1.2", "1.2"],
  ["FACE_ENDPOINT", url, "nonsense", "a-resource.cognitiveservices.azure.com", "ftp://example.com", "https://", "//"],
  ["FACE_ENDPOINT", "must be https", "http://a-resource.cognitiveservices.azure.com", "http://localhost.example.com"],
  ["FACE_ENDPOINT", "must be https", "http://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost@example.com"],
  [
    "EVENT_GRID_TOPIC_ENDPOINT",
    "must be the https URL of an Event Grid topic",
    ...["s3cr3t", "http://localhost/s3cr3t", "https://"],
  ],
];

describe("default settings", () => {
  test("require an endpoint and storage only", () => {
    assert.deepEqual(configOf({}), {
      face: { endpoint, key: undefined, apiVersion: "v1.2", timeoutSeconds: 30, identityClientId: undefined },
      storage: { connectionString },
      callers: { clientKeys: new Map(), allowAnonymous: false, platformAuthentication: false },
      rules: { requireClientDigest: false },
      policy: { allowDeviceSetInClient: false, confidenceFloor: 0 },
      limits: {
        ...{ creations: 10, ownerCreations: 20, ownerImages: 20, windowSeconds: 600 },
        ...{ lockoutRejections: 5, lockoutSeconds: 1800 },
      },
      retention: { sessionHours: 48, outcomeDays: 90 },
      maintenance: { concurrency: 32, faceCallsPerSecond: 5, budgetSeconds: 240 },
      events: { source: "face-liveness", endpoints: [], allowsPrivateAddresses: true },
      telemetry: undefined,
    });
  });

  test("treat blank settings as absent", () => {
    const blank = Object.fromEntries(Object.keys(settings.shape).map((name, index) => [name, index % 2 ? "" : "  "]));
    assert.deepEqual(configOf({ ...blank, ...minimal }), configOf({}));
    assert.deepEqual(faultsOf(blank), [{ setting: "FACE_ENDPOINT", message: "is required" }, storageMissing]);
  });
});

describe("numbers", () => {
  for (const [name, of] of Object.entries(numbers)) {
    const accepts = String(settings.shape[name as keyof typeof settings.shape].meta()?.accepts);
    test(`${name}: ${accepts}`, () => {
      const [min = Number.NaN, max = Number.NaN] = accepts.split("–").map(Number);
      assert.deepEqual([min, max], [of(configOf({ [name]: String(min) })), of(configOf({ [name]: String(max) }))]);
      const fault = { setting: name, message: `must be a whole number from ${min} to ${max}` };
      for (const wrong of [min - 1, max + 1, -min, min + 0.5, "1e1", "0x10", "many", "9".repeat(40), "１０"]) {
        assert.deepEqual(faultsOf({ [name]: String(wrong) }), [fault], `${name}=${wrong}`);
      }
    });
  }
});

describe("telemetry", () => {
  const APPLICATIONINSIGHTS_CONNECTION_STRING = "InstrumentationKey=0;IngestionEndpoint=https://eu.test/";
  const telemetryOf = (env: Record<string, string>) =>
    configOf({ APPLICATIONINSIGHTS_CONNECTION_STRING, ...env }).telemetry;

  test("is off without a connection string", () => {
    assert.equal(configOf({ TELEMETRY_SAMPLING_RATIO: "0.5", WEBSITE_SITE_NAME: "func-x" }).telemetry, undefined);
  });

  test("has the app's name in Azure, and the identity if configured", () => {
    const plain = { connectionString: APPLICATIONINSIGHTS_CONNECTION_STRING, identity: undefined, instance: undefined };
    assert.deepEqual(telemetryOf({}), { ...plain, samplingRatio: 1, role: "face-liveness" });
    const azure = { WEBSITE_SITE_NAME: "func-x", WEBSITE_POD_NAME: "pod-1", TELEMETRY_SAMPLING_RATIO: "0.25" };
    assert.deepEqual(telemetryOf(azure), { ...plain, samplingRatio: 0.25, role: "func-x", instance: "pod-1" });
    for (const [text, identity] of [
      ["Authorization=AAD", { clientId: undefined }],
      ["ClientId=1-2-3;Authorization=AAD", { clientId: "1-2-3" }],
      ["Authorization=AAD; ClientId=1-2-3", { clientId: "1-2-3" }],
      ["ClientId=1-2-3", undefined],
    ] as const) {
      assert.deepEqual(telemetryOf({ APPLICATIONINSIGHTS_AUTHENTICATION_STRING: text })?.identity, identity, text);
    }
  });
});

const complete = { ...minimal, USER_ID_KEY: userIdKey };
for (const [setting, of, values] of accepted) {
  for (const [text, value] of Object.entries(values)) {
    test(`${setting}: '${text}' is read as ${value}`, () => {
      assert.equal(of(configOf({ [setting]: text }, complete)), value);
    });
  }
}
for (const [setting, message, ...texts] of refused) {
  test(`${setting} ${message}`, () => {
    for (const text of texts) assert.deepEqual(faultsOf({ [setting]: text }, complete), [{ setting, message }], text);
  });
}

test("USER_ID_KEY is required with v1.3-preview.1, and only there", () => {
  const setting = "USER_ID_KEY";
  const fault = { setting, message: "is required with FACE_API_VERSION v1.3-preview.1" };
  for (const blank of [undefined, "", "  "]) {
    assert.deepEqual(faultsOf({ FACE_API_VERSION: "v1.3-preview.1", [setting]: blank }), [fault]);
  }
  for (const version of [...versions.slice(0, 3), undefined]) {
    assert.deepEqual(faultsOf({ FACE_API_VERSION: version }), []);
    assert.ok(!("userIdKey" in configOf({ FACE_API_VERSION: version }).policy));
  }
});

test("ALLOW_ANONYMOUS is refused in Azure, and private addresses of webhooks are", () => {
  const fault = { setting: "ALLOW_ANONYMOUS", message: "is for the local stack and refused in Azure" };
  assert.equal(configOf({}).events.allowsPrivateAddresses, true);
  for (const name of inAzure) {
    assert.deepEqual(faultsOf({ ALLOW_ANONYMOUS: "true", [name]: "an-instance" }), [fault]);
    const config = configOf({ ALLOW_ANONYMOUS: "false", [name]: "an-instance" });
    assert.equal(config.events.allowsPrivateAddresses, false, name);
  }
});

test("a regional endpoint requires a key, also in upper case; other endpoints do not", () => {
  const regional = "https://westeurope.api.cognitive.microsoft.com/";
  const message =
    "is required with a regional endpoint, which takes keys only; an identity needs the resource's own subdomain";
  for (const FACE_ENDPOINT of [regional, regional.toUpperCase()]) {
    assert.deepEqual(faultsOf({ FACE_ENDPOINT }), [{ setting: "FACE_KEY", message }]);
  }
  assert.equal(configOf({ FACE_ENDPOINT: regional, FACE_KEY: "a-face-key" }).face.key, "a-face-key");
  assert.deepEqual(faultsOf({ FACE_ENDPOINT: endpoint.toUpperCase() }), []);
});

describe("faults", () => {
  test("are all reported at once", () => {
    const regional = { FACE_ENDPOINT: "https://westeurope.api.cognitive.microsoft.com", FACE_TIMEOUT_SECONDS: "long" };
    const anonymous = { ALLOW_ANONYMOUS: "true", WEBSITE_INSTANCE_ID: "an-instance" };
    const faults = faultsOf({ ...regional, ...anonymous, CLIENT_KEYS: "secret" }, {});
    const names = ["ALLOW_ANONYMOUS", "AzureWebJobsStorage", "CLIENT_KEYS", "FACE_KEY", "FACE_TIMEOUT_SECONDS"];
    assert.deepEqual(faults.map(({ setting }) => setting).sort(), names);
  });

  const name = fc.constantFrom(...Object.keys(settings.shape));
  const value = fc.string({ minLength: 1 }).map((text) => `s3cr3t${text}`);
  testProperty("never contain a value", [fc.dictionary(name, value)], (env) => {
    const read = readConfig({ ...minimal, ...env });
    assert.ok(!("faults" in read) || !JSON.stringify(read.faults).includes("s3cr3t"));
  });

  test("an unresolved Key Vault reference has exactly one fault, without the reference", () => {
    const reference = "@Microsoft.KeyVault(SecretUri=https://kv-x.vault.azure.net/secrets/client-keys/s3cr3t)";
    for (const setting of Object.keys(settings.shape)) {
      const read = readConfig({ ...minimal, [setting]: reference });
      const faults = "faults" in read ? read.faults.filter((fault) => fault.setting === setting) : [];
      assert.equal(faults.length, 1, setting);
      assert.match(faults[0]?.message ?? "", /^is a Key Vault reference that the platform has not resolved: .*refresh/);
      assert.doesNotMatch(JSON.stringify(read), /s3cr3t/);
    }
  });

  test("a value that contains such a reference in the middle is accepted", () => {
    assert.ok(!("faults" in readConfig({ ...minimal, FACE_KEY: "key @Microsoft.KeyVault(" })));
  });
});

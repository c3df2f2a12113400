import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { type Config, readConfig, settings } from "../../src/config.ts";
import { configOf, connectionString, endpoint, faultsOf, minimal, storageMissing } from "./fakes/settings.ts";

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

const flags: { name: string; of(config: Config): boolean }[] = [
  { name: "ALLOW_ANONYMOUS", of: ({ callers }) => callers.allowAnonymous },
  { name: "WEBSITE_AUTH_ENABLED", of: ({ callers }) => callers.platformAuthentication },
  { name: "REQUIRE_CLIENT_DIGEST", of: ({ rules }) => rules.requireClientDigest },
  { name: "ALLOW_DEVICE_SET_IN_CLIENT", of: ({ policy }) => policy.allowDeviceSetInClient },
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

test("the retention of reference images is a number of days; 0 and default: unlimited", () => {
  const daysOf = (text: string) => configOf({ REFERENCE_IMAGE_RETENTION_DAYS: text }).retention.referenceImageDays;
  for (const [text, days] of Object.entries({ "": undefined, "0": undefined, "1": 1, "3650": 3650 })) {
    assert.equal(daysOf(text), days);
  }
  const fault = {
    setting: "REFERENCE_IMAGE_RETENTION_DAYS",
    message: "must be a whole number from 0 to 3650",
  };
  for (const wrong of ["-1", "3651", "never"]) {
    assert.deepEqual(faultsOf({ REFERENCE_IMAGE_RETENTION_DAYS: wrong }), [fault], wrong);
  }
});

test("VERIFY_CONFIDENCE_FLOOR is a number from 0 to 1, default 0", () => {
  const floorOf = (text: string) => configOf({ VERIFY_CONFIDENCE_FLOOR: text }).policy.confidenceFloor;
  for (const [text, floor] of Object.entries({ "0": 0, "0.85": 0.85, "1": 1, "1.0": 1, "": 0 })) {
    assert.equal(floorOf(text), floor);
  }
  const message = "must be a number from 0 to 1";
  for (const wrong of ["-0.1", "1.01", "0,5", "high", "1e-1", "NaN", ".5"]) {
    const setting = "VERIFY_CONFIDENCE_FLOOR";
    assert.deepEqual(faultsOf({ [setting]: wrong }), [{ setting, message }], wrong);
  }
});

describe("USER_ID_KEY", () => {
  const setting = "USER_ID_KEY";

  test("has 32 to 256 characters", () => {
    for (const length of [32, 256]) {
      const key = "k".repeat(length);
      assert.equal(configOf({ [setting]: key }).policy.userIdKey, key);
    }
    for (const length of [1, 31, 257]) {
      const fault = { setting, message: "must have 32 to 256 characters" };
      assert.deepEqual(faultsOf({ [setting]: "k".repeat(length) }), [fault], String(length));
    }
  });

  test("is required with v1.3-preview.1, and only there", () => {
    const fault = { setting, message: "is required with FACE_API_VERSION v1.3-preview.1" };
    for (const blank of [undefined, "", "  "]) {
      assert.deepEqual(faultsOf({ FACE_API_VERSION: "v1.3-preview.1", [setting]: blank }), [fault]);
    }
    for (const version of ["v1.1-preview.1", "v1.2-preview.1", "v1.2", undefined]) {
      assert.deepEqual(faultsOf({ FACE_API_VERSION: version }), []);
      assert.ok(!("userIdKey" in configOf({ FACE_API_VERSION: version }).policy));
    }
  });
});

describe("flags", () => {
  for (const { name, of } of flags) {
    test(`${name}: a boolean, default false`, () => {
      assert.equal(of(configOf({})), false);
      for (const word of ["true", "True", "TRUE", "1"]) assert.equal(of(configOf({ [name]: word })), true, word);
      for (const word of ["false", "False", "0"]) assert.equal(of(configOf({ [name]: word })), false, word);
      const message = "must be true or false";
      assert.deepEqual(faultsOf({ [name]: "maybe" }), [{ setting: name, message }]);
    });
  }

  test("ALLOW_ANONYMOUS is refused in Azure", () => {
    const message = "is for the local stack and refused in Azure";
    const fault = { setting: "ALLOW_ANONYMOUS", message };
    for (const name of ["WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME"]) {
      assert.deepEqual(faultsOf({ ALLOW_ANONYMOUS: "true", [name]: "an-instance" }), [fault]);
      assert.deepEqual(faultsOf({ ALLOW_ANONYMOUS: "false", [name]: "an-instance" }), []);
    }
  });
});

describe("the Face service", () => {
  test("accepts every supported version", () => {
    for (const version of ["v1.1-preview.1", "v1.2-preview.1", "v1.2", "v1.3-preview.1"]) {
      const env = { FACE_API_VERSION: version, USER_ID_KEY: "k".repeat(32) };
      assert.equal(configOf(env).face.apiVersion, version);
    }
    const message = "must be one of v1.1-preview.1, v1.2-preview.1, v1.2, v1.3-preview.1";
    for (const wrong of ["v1.3", "V1.2", "1.2"]) {
      assert.deepEqual(faultsOf({ FACE_API_VERSION: wrong }), [{ setting: "FACE_API_VERSION", message }]);
    }
  });

  test("accepts an endpoint with or without trailing slashes", () => {
    for (const end of ["", "/", "///"])
      assert.equal(configOf({ FACE_ENDPOINT: endpoint + end }).face.endpoint, endpoint);
  });

  test("reads the key and the identity's client id", () => {
    const { key, identityClientId } = configOf({ FACE_KEY: "a-face-key", AZURE_CLIENT_ID: "an-identity" }).face;
    assert.deepEqual({ key, identityClientId }, { key: "a-face-key", identityClientId: "an-identity" });
  });

  test("accepts http for loopback only", () => {
    for (const local of ["http://localhost:7080", "http://127.0.0.1:7080", "http://127.8.9.1", "http://[::1]:7080"]) {
      assert.equal(configOf({ FACE_ENDPOINT: `${local}/` }).face.endpoint, local);
    }
    for (const remote of [
      ...["http://a-resource.cognitiveservices.azure.com", "http://localhost.example.com", "http://10.0.0.1"],
      ...["http://127.0.0.1.example.com", "http://localhost@example.com"],
    ]) {
      const faults = [{ setting: "FACE_ENDPOINT", message: "must be https" }];
      assert.deepEqual(faultsOf({ FACE_ENDPOINT: remote }), faults, remote);
    }
    assert.deepEqual(faultsOf({ FACE_ENDPOINT: "HTTPS://A-Resource.cognitiveservices.azure.com" }), []);
  });

  test("refuses invalid URLs", () => {
    for (const wrong of ["nonsense", "a-resource.cognitiveservices.azure.com", "ftp://example.com", "https://", "//"]) {
      const message = "must be the URL of a Face resource";
      assert.deepEqual(faultsOf({ FACE_ENDPOINT: wrong }), [{ setting: "FACE_ENDPOINT", message }], wrong);
    }
  });

  test("requires a key for a regional endpoint", () => {
    const regional = "https://westeurope.api.cognitive.microsoft.com/";
    const message =
      "is required with a regional endpoint, which takes keys only; an identity needs the resource's own subdomain";
    assert.deepEqual(faultsOf({ FACE_ENDPOINT: regional }), [{ setting: "FACE_KEY", message }]);
    assert.deepEqual(faultsOf({ FACE_ENDPOINT: regional.toUpperCase() }), [{ setting: "FACE_KEY", message }]);
    assert.equal(configOf({ FACE_ENDPOINT: regional, FACE_KEY: "a-face-key" }).face.key, "a-face-key");
  });
});

describe("faults", () => {
  test("are all reported at once", () => {
    const regional = { FACE_ENDPOINT: "https://westeurope.api.cognitive.microsoft.com", FACE_TIMEOUT_SECONDS: "long" };
    const inAzure = { ALLOW_ANONYMOUS: "true", WEBSITE_INSTANCE_ID: "an-instance" };
    const faults = faultsOf({ ...regional, ...inAzure, CLIENT_KEYS: "secret" }, {});
    const names = ["ALLOW_ANONYMOUS", "AzureWebJobsStorage", "CLIENT_KEYS", "FACE_KEY", "FACE_TIMEOUT_SECONDS"];
    assert.deepEqual(faults.map(({ setting }) => setting).sort(), names);
  });

  test("never contain a value", () => {
    const name = fc.constantFrom(...Object.keys(settings.shape));
    const value = fc.string({ minLength: 1 }).map((text) => `s3cr3t${text}`);
    fc.assert(
      fc.property(fc.dictionary(name, value), (env) => {
        const read = readConfig({ ...minimal, ...env });
        assert.ok(!("faults" in read) || !JSON.stringify(read.faults).includes("s3cr3t"));
      }),
    );
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

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { type Config, readConfig, type SettingFault, settings } from "../../src/config.ts";

type Env = Record<string, string | undefined>;

const endpoint = "https://a-resource.cognitiveservices.azure.com";
const connectionString = "UseDevelopmentStorage=true";
const minimal: Env = { FACE_ENDPOINT: endpoint, AzureWebJobsStorage: connectionString };

function configOf(env: Env, base: Env = minimal): Config {
  const read = readConfig({ ...base, ...env });
  if ("faults" in read) assert.fail(`Faults: ${JSON.stringify(read.faults)}`);
  return read.config;
}

function faultsOf(env: Env, base: Env = minimal): SettingFault[] {
  const read = readConfig({ ...base, ...env });
  return "faults" in read ? read.faults : [];
}

const storageMissing = {
  setting: "AzureWebJobsStorage",
  message:
    "is required, or AzureWebJobsStorage__accountName, or both AzureWebJobsStorage__tableServiceUri and __blobServiceUri",
};

const numbers: { name: string; byDefault: number; min: number; max: number; of(config: Config): number }[] = [
  { name: "FACE_TIMEOUT_SECONDS", byDefault: 30, min: 1, max: 200, of: ({ face }) => face.timeoutSeconds },
  { name: "SESSION_RETENTION_HOURS", byDefault: 48, min: 1, max: 720, of: ({ retention }) => retention.sessionHours },
  { name: "OUTCOME_RETENTION_DAYS", byDefault: 90, min: 1, max: 3650, of: ({ retention }) => retention.outcomeDays },
  {
    name: "MAINTENANCE_CONCURRENCY",
    byDefault: 32,
    min: 1,
    max: 256,
    of: ({ maintenance }) => maintenance.concurrency,
  },
  {
    name: "MAINTENANCE_FACE_CALLS_PER_SECOND",
    byDefault: 5,
    min: 1,
    max: 1000,
    of: ({ maintenance }) => maintenance.faceCallsPerSecond,
  },
  {
    name: "MAINTENANCE_BUDGET_SECONDS",
    byDefault: 240,
    min: 5,
    max: 1800,
    of: ({ maintenance }) => maintenance.budgetSeconds,
  },
];

const flags: { name: string; of(config: Config): boolean }[] = [
  { name: "ALLOW_ANONYMOUS", of: ({ callers }) => callers.allowAnonymous },
  { name: "WEBSITE_AUTH_ENABLED", of: ({ callers }) => callers.platformAuthentication },
  { name: "REQUIRE_CLIENT_DIGEST", of: ({ requireClientDigest }) => requireClientDigest },
];

describe("settings by default", () => {
  it("needs an endpoint and a storage, and nothing else", () => {
    assert.deepEqual(configOf({}), {
      face: {
        endpoint,
        key: undefined,
        apiVersion: "v1.2",
        timeoutSeconds: 30,
        identityClientId: undefined,
      },
      storage: { connectionString },
      callers: { clientKeys: new Map(), allowAnonymous: false, platformAuthentication: false },
      requireClientDigest: false,
      retention: { sessionHours: 48, outcomeDays: 90 },
      maintenance: { concurrency: 32, faceCallsPerSecond: 5, budgetSeconds: 240 },
    });
  });

  it("takes an empty or blank setting as one that is not there", () => {
    const blank = Object.fromEntries(Object.keys(settings.shape).map((name, index) => [name, index % 2 ? "" : "  "]));
    assert.deepEqual(configOf({ ...blank, ...minimal }), configOf({}));
    assert.deepEqual(faultsOf(blank), [{ setting: "FACE_ENDPOINT", message: "is required" }, storageMissing]);
  });
});

describe("numbers", () => {
  for (const { name, byDefault, min, max, of } of numbers) {
    it(`takes ${name} from ${min} to ${max}, by default ${byDefault}`, () => {
      assert.equal(of(configOf({})), byDefault);
      assert.equal(of(configOf({ [name]: String(min) })), min);
      assert.equal(of(configOf({ [name]: String(max) })), max);
      const fault = { setting: name, message: `must be a whole number from ${min} to ${max}` };
      for (const wrong of [min - 1, max + 1, -min, min + 0.5, "1e1", "0x10", "many", "9".repeat(40), "１０"]) {
        assert.deepEqual(faultsOf({ [name]: String(wrong) }), [fault], `${name}=${wrong}`);
      }
    });
  }
});

describe("flags", () => {
  for (const { name, of } of flags) {
    it(`takes ${name} as a word for true or false, by default false`, () => {
      assert.equal(of(configOf({})), false);
      for (const word of ["true", "True", "TRUE", "1"]) assert.equal(of(configOf({ [name]: word })), true, word);
      for (const word of ["false", "False", "0"]) assert.equal(of(configOf({ [name]: word })), false, word);
      const message = "must be true or false";
      assert.deepEqual(faultsOf({ [name]: "maybe" }), [{ setting: name, message }]);
    });
  }

  it("refuses to let everyone in where the platform is Azure", () => {
    const message = "is for the local stack and refused in Azure";
    const fault = { setting: "ALLOW_ANONYMOUS", message };
    assert.deepEqual(faultsOf({ ALLOW_ANONYMOUS: "true", WEBSITE_INSTANCE_ID: "an-instance" }), [fault]);
    assert.deepEqual(faultsOf({ ALLOW_ANONYMOUS: "false", WEBSITE_INSTANCE_ID: "an-instance" }), []);
  });
});

describe("the Face service", () => {
  it("takes every version that is spoken here", () => {
    for (const version of ["v1.1-preview.1", "v1.2-preview.1", "v1.2"]) {
      assert.equal(configOf({ FACE_API_VERSION: version }).face.apiVersion, version);
    }
    const message = "must be one of v1.1-preview.1, v1.2-preview.1, v1.2";
    for (const wrong of ["v1.3", "V1.2", "1.2"]) {
      assert.deepEqual(faultsOf({ FACE_API_VERSION: wrong }), [{ setting: "FACE_API_VERSION", message }]);
    }
  });

  it("takes an endpoint with or without slashes at its end", () => {
    for (const end of ["", "/", "///"])
      assert.equal(configOf({ FACE_ENDPOINT: endpoint + end }).face.endpoint, endpoint);
  });

  it("takes a key and the identity's client id", () => {
    const { key, identityClientId } = configOf({ FACE_KEY: "a-face-key", AZURE_CLIENT_ID: "an-identity" }).face;
    assert.deepEqual({ key, identityClientId }, { key: "a-face-key", identityClientId: "an-identity" });
  });

  it("takes http for this machine only", () => {
    for (const local of ["http://localhost:7080", "http://127.0.0.1:7080", "http://127.8.9.1", "http://[::1]:7080"]) {
      assert.equal(configOf({ FACE_ENDPOINT: `${local}/` }).face.endpoint, local);
    }
    for (const remote of [
      "http://a-resource.cognitiveservices.azure.com",
      "http://localhost.example.com",
      "http://127.0.0.1.example.com",
      "http://10.0.0.1",
      "http://localhost@example.com",
    ]) {
      const faults = [{ setting: "FACE_ENDPOINT", message: "must be https" }];
      assert.deepEqual(faultsOf({ FACE_ENDPOINT: remote }), faults, remote);
    }
    assert.deepEqual(faultsOf({ FACE_ENDPOINT: "HTTPS://A-Resource.cognitiveservices.azure.com" }), []);
  });

  it("refuses what is no URL", () => {
    for (const wrong of ["nonsense", "a-resource.cognitiveservices.azure.com", "ftp://example.com", "https://", "//"]) {
      const message = "must be the URL of a Face resource";
      assert.deepEqual(faultsOf({ FACE_ENDPOINT: wrong }), [{ setting: "FACE_ENDPOINT", message }], wrong);
    }
  });

  it("needs a key for a regional endpoint", () => {
    const regional = "https://westeurope.api.cognitive.microsoft.com/";
    const message =
      "is required with a regional endpoint, which takes keys only; an identity needs the resource's own subdomain";
    assert.deepEqual(faultsOf({ FACE_ENDPOINT: regional }), [{ setting: "FACE_KEY", message }]);
    assert.deepEqual(faultsOf({ FACE_ENDPOINT: regional.toUpperCase() }), [{ setting: "FACE_KEY", message }]);
    assert.equal(configOf({ FACE_ENDPOINT: regional, FACE_KEY: "a-face-key" }).face.key, "a-face-key");
  });
});

describe("storage", () => {
  const byIdentity = (env: Env) => configOf(env, { FACE_ENDPOINT: endpoint }).storage;

  it("goes by a connection string before anything else", () => {
    for (const text of [
      "UseDevelopmentStorage=true",
      "DefaultEndpointsProtocol=https;AccountName=anaccount;AccountKey=a2V5;EndpointSuffix=core.windows.net",
      "BlobEndpoint=https://a.example;TableEndpoint=https://b.example;SharedAccessSignature=sv=1",
    ]) {
      const storage = byIdentity({ AzureWebJobsStorage: text, AzureWebJobsStorage__accountName: "anaccount" });
      assert.deepEqual(storage, { connectionString: text });
    }
    const message = "must be a storage connection string";
    assert.deepEqual(faultsOf({ AzureWebJobsStorage: "a-secret" }), [{ setting: "AzureWebJobsStorage", message }]);
  });

  it("goes by an account's name", () => {
    assert.deepEqual(byIdentity({ AzureWebJobsStorage__accountName: "anaccount" }), {
      tableUri: "https://anaccount.table.core.windows.net",
      blobUri: "https://anaccount.blob.core.windows.net",
      identityClientId: undefined,
    });
    const message = "must be the name of a storage account";
    for (const wrong of ["An-Account", "ab", "a".repeat(25), "a.b.c"]) {
      const faults = faultsOf({ AzureWebJobsStorage__accountName: wrong }, { FACE_ENDPOINT: endpoint });
      assert.deepEqual(faults, [{ setting: "AzureWebJobsStorage__accountName", message }], wrong);
    }
  });

  it("goes by service URIs, which outrank the account's name", () => {
    const uris = {
      AzureWebJobsStorage__tableServiceUri: "https://tables.example/",
      AzureWebJobsStorage__blobServiceUri: "http://127.0.0.1:10000/devstoreaccount1//",
    };
    const expected = { tableUri: "https://tables.example", blobUri: "http://127.0.0.1:10000/devstoreaccount1" };
    assert.deepEqual(byIdentity(uris), { ...expected, identityClientId: undefined });
    assert.deepEqual(byIdentity({ ...uris, AzureWebJobsStorage__accountName: "anaccount" }), {
      ...expected,
      identityClientId: undefined,
    });
    for (const setting of Object.keys(uris)) {
      assert.deepEqual(faultsOf({ [setting]: "tables" }), [{ setting, message: "must be an http(s) URL" }]);
      // One of the two is not enough.
      assert.deepEqual(faultsOf({ ...uris, [setting]: "" }, { FACE_ENDPOINT: endpoint }), [storageMissing]);
    }
  });

  it("knows the identity by its own client id before the app's", () => {
    const account = { AzureWebJobsStorage__accountName: "anaccount", AZURE_CLIENT_ID: "the-app" };
    const clientIdOf = (env: Env) => {
      const storage = byIdentity(env);
      return "identityClientId" in storage ? storage.identityClientId : assert.fail("no identity");
    };
    assert.equal(clientIdOf(account), "the-app");
    assert.equal(clientIdOf({ ...account, AzureWebJobsStorage__clientId: "the-storage" }), "the-storage");
  });
});

describe("client keys", () => {
  const digest = "0123456789ABCDEF".repeat(4);
  const shape = "must be JSON: client name → list of SHA-256 hex digests";
  const digests = "must be SHA-256 digests of keys, 64 hex digits each";

  it("takes digests in either case, several per client", () => {
    const other = "f".repeat(64);
    const { clientKeys } = configOf({ CLIENT_KEYS: JSON.stringify({ mobile: [digest, other], web: [other] }) }).callers;
    assert.deepEqual(clientKeys, new Map(Object.entries({ mobile: [digest.toLowerCase(), other], web: [other] })));
  });

  for (const [what, text, message] of [
    ["broken JSON", "{", shape],
    ["a Key Vault reference that was not resolved", "@Microsoft.KeyVault(SecretUri=https://a.example/s)", shape],
    ["a bare key", "a-key", shape],
    ["a list", `["${digest}"]`, shape],
    ["null", "null", shape],
    ["text", '"text"', shape],
    ["a digest that is not in a list", JSON.stringify({ mobile: digest }), shape],
    ["a client without digests", '{"mobile":[]}', "each client needs at least one digest"],
    ["a key in place of its digest", '{"mobile":["a-key"]}', digests],
    ["a digest with a digit too few", JSON.stringify({ mobile: [digest.slice(1)] }), digests],
    ["a number", '{"mobile":[1]}', digests],
    ["several wrong ones", '{"mobile":["a-key","b-key"],"web":[null]}', digests],
    ["a client without a name", JSON.stringify({ "": [digest] }), shape],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.deepEqual(faultsOf({ CLIENT_KEYS: text }), [{ setting: "CLIENT_KEYS", message }]);
    });
  }
});

describe("faults", () => {
  it("are all told at once", () => {
    const faults = faultsOf(
      {
        FACE_ENDPOINT: "https://westeurope.api.cognitive.microsoft.com",
        FACE_TIMEOUT_SECONDS: "long",
        CLIENT_KEYS: "secret",
        ALLOW_ANONYMOUS: "true",
        WEBSITE_INSTANCE_ID: "an-instance",
      },
      {},
    );
    const names = ["ALLOW_ANONYMOUS", "AzureWebJobsStorage", "CLIENT_KEYS", "FACE_KEY", "FACE_TIMEOUT_SECONDS"];
    assert.deepEqual(faults.map(({ setting }) => setting).sort(), names);
  });

  it("never tell a value, whatever it is", () => {
    const names = Object.keys(settings.shape);
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom(...names),
          fc.string({ minLength: 1 }).map((text) => `s3cr3t${text}`),
        ),
        (env) => {
          const read = readConfig({ ...minimal, ...env });
          assert.ok(!("faults" in read) || !JSON.stringify(read.faults).includes("s3cr3t"));
        },
      ),
    );
  });
});

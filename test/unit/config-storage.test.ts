import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configOf, type Env, endpoint, faultsOf, storageMissing } from "./fakes/settings.ts";

describe("storage", () => {
  const byIdentity = (env: Env) => configOf(env, { FACE_ENDPOINT: endpoint }).storage;

  test("is configured by a connection string in the first place", () => {
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

  test("is configured by an account name", () => {
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

  test("is configured by service URIs, which take precedence over the account name", () => {
    const uris = {
      AzureWebJobsStorage__tableServiceUri: "https://tables.example/",
      AzureWebJobsStorage__blobServiceUri: "http://127.0.0.1:10000/devstoreaccount1//",
    };
    const expected = {
      ...{ tableUri: "https://tables.example", blobUri: "http://127.0.0.1:10000/devstoreaccount1" },
      identityClientId: undefined,
    };
    assert.deepEqual(byIdentity(uris), expected);
    assert.deepEqual(byIdentity({ ...uris, AzureWebJobsStorage__accountName: "anaccount" }), expected);
    for (const setting of Object.keys(uris)) {
      assert.deepEqual(faultsOf({ [setting]: "tables" }), [{ setting, message: "must be an http(s) URL" }]);
      // Both are required.
      assert.deepEqual(faultsOf({ ...uris, [setting]: "" }, { FACE_ENDPOINT: endpoint }), [storageMissing]);
    }
  });

  test("prefers its own client id to that of the app", () => {
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

  test("accepts digests in either case, several per client", () => {
    const other = "f".repeat(64);
    const { clientKeys } = configOf({ CLIENT_KEYS: JSON.stringify({ mobile: [digest, other], web: [other] }) }).callers;
    assert.deepEqual(clientKeys, new Map(Object.entries({ mobile: [digest.toLowerCase(), other], web: [other] })));
  });

  for (const [what, text, message] of [
    ["broken JSON", "{", shape],
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
    test(`refuses ${what}`, () => {
      assert.deepEqual(faultsOf({ CLIENT_KEYS: text }), [{ setting: "CLIENT_KEYS", message }]);
    });
  }
});

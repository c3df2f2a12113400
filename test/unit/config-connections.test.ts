import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configOf, type Env, endpoint, faultsOf, storageMissing } from "./fakes/settings.ts";

const setting = "WEBHOOK_ENDPOINTS";
const secretOf = (bytes: number, fill = 1) => `whsec_${Buffer.alloc(bytes, fill).toString("base64")}`;
const crm = { name: "crm", url: "https://crm.example.com/liveness?code=s3cr3t", secrets: [secretOf(32)] };
const endpointsOf = (...list: object[]) => configOf({ [setting]: JSON.stringify(list) }).events.endpoints;

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

  const withField = (message: string, field: string, ...values: unknown[]) =>
    values.map((value) => [`${field} ${value}`, JSON.stringify([{ ...crm, [field]: value }]), message] as const);
  for (const [what, value, message] of [
    ["broken JSON", '[{"name":"s3cr3t"', shape],
    ["one endpoint without a list", JSON.stringify(crm), shape],
    ["a list of texts", '["s3cr3t"]', shape],
    ["null", "null", shape],
    ...withField(shape, "s3cr3t", 1),
    ["eleven endpoints", JSON.stringify(Array.from({ length: 11 }, (_, name) => ({ ...crm, name: `${name}` }))), shape],
    ...withField(names, "name", "", "a b", "s3cr3t/", "é", "n".repeat(65), 1, undefined, "event-grid"),
    ["a name twice", JSON.stringify([crm, crm]), names],
    ...withField(urls, "url", "s3cr3t", "ftp://s3cr3t.example", "http://s3cr3t.example", "https://", 1),
    ...withField(urls, "url", "http://localhost.example"),
    ...withField(secrets, "secrets", undefined, [], secretOf(32), [1], ["s3cr3t"], [secretOf(23)], [secretOf(65)]),
    ...withField(secrets, "secrets", [secretOf(32).slice(6)], [`${secretOf(32)} `], [secretOf(32).replace(/=+$/, "")]),
    ...withField(secrets, "secrets", [secretOf(32, 255).replaceAll("/", "_")], Array(3).fill(secretOf(32))),
    ...withField(typesMessage, "types", [], "liveness.session.decided", ["s3cr3t"], [null]),
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

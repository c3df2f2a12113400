import assert from "node:assert/strict";
import { test } from "node:test";
import { settings } from "../../../src/config.ts";
import { keysIn, readBicep, valueGiven } from "./bicep.ts";
import { chosenSettings } from "./parameters.ts";

const app = readBicep("modules/function-app.bicep");
const schema = Object.keys(settings.shape);

/** What the app is told of its surroundings, and what an operator chooses. */
const wired = keysIn(valueGiven(app, "appSettings")).filter((key) => !["parent", "name", "properties"].includes(key));
const chosen = Object.keys(chosenSettings);

/** For the host and its libraries: the app's own code does not ask for them. */
const forTheHost = /^(AzureWebJobsStorage__credential|AzureWebJobsDisableHomepage|AZURE_TOKEN_CREDENTIALS)$/;
/** Never set here: keys that are switched off, what only laptops may do, and what the platform sets by itself. */
const notForAzure = /^(FACE_KEY|AzureWebJobsStorage|AzureWebJobsStorage__accountName|ALLOW_ANONYMOUS|WEBSITE_\w+)$/;

test("every setting of the app is wired, or an operator's to choose, or not for Azure", () => {
  const expected = schema.filter((name) => !notForAzure.test(name));
  const set = [...wired, ...chosen].filter((name) => schema.includes(name));
  assert.deepEqual(set.sort(), expected.sort());
});

test("no setting is there that nothing reads", () => {
  assert.deepEqual(
    [...wired, ...chosen].filter((name) => !schema.includes(name) && !forTheHost.test(name)),
    [],
  );
});

test("what an operator leaves empty has the app's own default", () => {
  for (const name of chosen) {
    const shape = settings.shape[name as keyof typeof settings.shape];
    assert.deepEqual(shape.parse(""), shape.parse(undefined), name);
  }
  assert.match(app.tree.text, /filter\(items\(settings\), setting => !empty\(setting\.value\)\)/);
});

test("every setting that an operator chooses goes by its own name", () => {
  for (const [name, { variable }] of Object.entries(chosenSettings)) assert.equal(variable, name);
});

test("a deployment accepts nothing without the device's digest, unless its operator decides otherwise", () => {
  assert.equal(chosenSettings.REQUIRE_CLIENT_DIGEST?.fallback, "true");
  assert.equal(settings.shape.REQUIRE_CLIENT_DIGEST.parse(undefined), false, "the local stack needs none");
});

test("the settings as deployed, with nothing chosen, are in order", () => {
  const url = "https://face-x.cognitiveservices.azure.com/";
  const parsed = settings.parse({
    FACE_ENDPOINT: url,
    AzureWebJobsStorage__blobServiceUri: "https://stx.blob.core.windows.net/",
    AzureWebJobsStorage__tableServiceUri: "https://stx.table.core.windows.net/",
    CLIENT_KEYS: undefined,
  });
  assert.equal(parsed.FACE_ENDPOINT, url.replace(/\/$/, ""));
});

test("the retention that the backstop is counted from is the app's", () => {
  const documented = chosenSettings.SESSION_RETENTION_HOURS?.fallback;
  assert.equal(Number(documented), settings.shape.SESSION_RETENTION_HOURS.parse(undefined));
  assert.match(readBicep("main.bicep").tree.text, /int\(settings\.SESSION_RETENTION_HOURS\) \/ 24 \+ 7\n/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { settings } from "../../../src/config.ts";
import { missing } from "../documents.ts";
import { keysIn, readBicep, valueGiven } from "./bicep.ts";
import { chosenSettings } from "./parameters.ts";

const app = readBicep("modules/function-app.bicep");
const schema = Object.keys(settings.shape);

/** Settings that the template sets, and settings that an operator chooses. */
const wired = keysIn(valueGiven(app, "appSettings")).filter((key) => !["parent", "name", "properties"].includes(key));
const chosen = Object.keys(chosenSettings);

/** Settings of the host and of libraries, which the app's code does not read. */
const forTheHost = /^(AzureWebJobsStorage__credential|AzureWebJobsDisableHomepage|AZURE_TOKEN_CREDENTIALS)$/;
/** Never set by a deployment: keys, settings for local use, and settings of the platform. */
const notForAzure = /^(FACE_KEY|AzureWebJobsStorage|AzureWebJobsStorage__accountName|ALLOW_ANONYMOUS|WEBSITE_\w+)$/;

test("every setting is set by the template, chosen by an operator, or not for Azure", () => {
  const expected = schema.filter((name) => !notForAzure.test(name));
  const set = [...wired, ...chosen].filter((name) => schema.includes(name));
  assert.deepEqual(set.sort(), expected.sort());
});

test("every setting of the template is used", () => {
  const unused = missing([...wired, ...chosen], schema).filter((name) => !forTheHost.test(name));
  assert.deepEqual(unused, []);
});

test("empty settings are left out, so that the app's default applies", () => {
  for (const name of chosen) {
    const shape = settings.shape[name as keyof typeof settings.shape];
    assert.deepEqual(shape.parse(""), shape.parse(undefined), name);
  }
  assert.match(app.tree.text, /filter\(items\(settings\), setting => !empty\(setting\.value\)\)/);
});

test("variables of the azd environment have the names of the settings", () => {
  for (const [name, { variable }] of Object.entries(chosenSettings)) assert.equal(variable, name);
});

test("REQUIRE_CLIENT_DIGEST is true by default in a deployment", () => {
  assert.equal(chosenSettings.REQUIRE_CLIENT_DIGEST?.fallback, "true");
  assert.equal(settings.shape.REQUIRE_CLIENT_DIGEST.parse(undefined), false, "the local stack needs none");
});

test("the lifecycle rule and the app have the same default retention", () => {
  const documented = chosenSettings.SESSION_RETENTION_HOURS?.fallback;
  assert.equal(Number(documented), settings.shape.SESSION_RETENTION_HOURS.parse(undefined));
  assert.match(readBicep("main.bicep").tree.text, /int\(settings\.SESSION_RETENTION_HOURS\) \/ 24 \+ 7\n/);
});

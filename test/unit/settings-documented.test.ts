import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as z from "zod";
import { settings } from "../../src/config.ts";
import { endpoints } from "../../src/endpoints.ts";
import { documents, missing, namesIn, readDocument, readSettingRows } from "./documents.ts";

const root = join(import.meta.dirname, "../..");
const sample = z
  .object({ Values: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(root, "local.settings.sample.json"), "utf8"))).Values;

const names = Object.keys(settings.shape);
/** Settings of Azure, and those that replace the connection string with an identity. */
const notOnLaptops = /^(WEBSITE_|APPLICATIONINSIGHTS_|AZURE_CLIENT_ID$|AzureWebJobsStorage__)/;

function schemaOf(name: string): z.ZodType | undefined {
  return settings.shape[name as keyof typeof settings.shape];
}

test("every setting has its row in infra/README.md", () => {
  const documented = readSettingRows("infra/README.md").flatMap((row) => namesIn(row.name));
  assert.deepEqual(missing(names, documented), []);
});

for (const path of documents) {
  describe(`settings in ${path}`, () => {
    const rows = readSettingRows(path).flatMap((row) => namesIn(row.name).map((name) => ({ name, row })));

    for (const { name, row } of rows) {
      const schema = schemaOf(name);
      if (schema === undefined) continue;

      test(`${name}: range and default are those of the code`, () => {
        const accepts = schema.meta()?.accepts;
        if (accepts !== undefined) assert.equal(row.range, accepts);
        const parsed = schema.safeParse(undefined);
        const byDefault = parsed.success ? parsed.data : undefined;
        if (typeof byDefault === "object" || byDefault === undefined) return;
        assert.equal(row.default, `\`${byDefault}\``);
      });
    }
  });
}

test("the sample settings contain every local setting with its default", () => {
  const expected = names.filter((name) => !notOnLaptops.test(name));
  assert.deepEqual(Object.keys(sample).sort(), ["FUNCTIONS_WORKER_RUNTIME", ...expected].sort());
  const parsed = settings.parse(sample);
  for (const name of expected) {
    const alone = settings.shape[name as keyof typeof settings.shape].safeParse(undefined);
    if (name === "ALLOW_ANONYMOUS" || !alone.success) continue;
    const value = parsed[name as keyof typeof parsed];
    if (name !== "AzureWebJobsStorage") assert.deepEqual(value, alone.data, name);
  }
});

test("every route of the app is in the README", () => {
  const readme = readDocument("README.md");
  for (const { route, name } of endpoints.filter(({ name }) => !name.endsWith("Fallback"))) {
    const last = route.split("/").findLast((segment) => !segment.startsWith("{")) ?? assert.fail();
    assert.ok(readme.includes(last), `${name}: ${route}`);
  }
});

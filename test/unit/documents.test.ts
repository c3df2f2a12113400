import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import * as z from "zod";
import { settings } from "../../src/config.ts";
import { endpoints } from "../../src/endpoints.ts";
import { carryOverRules } from "../../src/face/carry-over.ts";
import { apiVersions } from "../../src/face/model.ts";
import { documents, manifest, missing, namesIn, readDocument, readRows, readSettingRows, root } from "./documents.ts";

const settingNames = Object.keys(settings.shape) as (keyof typeof settings.shape)[];

test("the README has at most 150 lines", () =>
  assert.ok(readDocument("README.md").trimEnd().split("\n").length <= 150));

test("the README has the two commands in separate blocks", () => {
  for (const command of ["npm ci && npm start", "npm ci && npm test"]) {
    assert.ok(readDocument("README.md").includes(`\`\`\`sh\n${command}\n\`\`\`\n`), command);
  }
});

test("the README has a reason for every dependency", () => {
  const cells = readRows("README.md").flatMap((row) => [row.package, row["development package"]]);
  const named = cells.flatMap((cell) => [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
  const has = (name: string) =>
    named.some((entry) => entry === name || (entry.endsWith("*") && name.startsWith(entry.slice(0, -1))));
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  const undocumented = Object.keys(all).filter((name) => !has(name));
  assert.deepEqual(undocumented, []);
});

test("the table of unsupported fields is that of the code", () => {
  const rows = readRows("src/README.md").filter((row) => "towards `v1.2`" in row);
  const documented = rows.map((row) => ({
    field: namesIn(row.field)[0],
    towards: Object.fromEntries(apiVersions.map((version) => [version, row[`towards \`${version}\``]])),
  }));
  const known = carryOverRules.map(({ field, towards }) => ({ field, towards }));
  assert.deepEqual(documented, known);
});

test("every route of the app is in the README", () => {
  const readme = readDocument("README.md");
  for (const { route, name } of endpoints.filter(({ name }) => !name.endsWith("Fallback"))) {
    const last = route.split("/").findLast((segment) => !segment.startsWith("{")) ?? assert.fail();
    assert.ok(readme.includes(last), `${name}: ${route}`);
  }
});

test("every setting has its row in infra/README.md", () => {
  const documented = readSettingRows("infra/README.md").flatMap((row) => namesIn(row.name));
  assert.deepEqual(missing(settingNames, documented), []);
});

test("the sample settings contain every local setting with its default", () => {
  const sample = z
    .object({ Values: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readDocument("local.settings.sample.json"))).Values;
  // Settings of Azure, and those that replace the connection string with an identity.
  const notOnLaptops = /^(WEBSITE_|APPLICATIONINSIGHTS_|AZURE_CLIENT_ID$|AzureWebJobsStorage__)/;
  const expected = settingNames.filter((name) => !notOnLaptops.test(name));
  assert.deepEqual(Object.keys(sample).sort(), ["FUNCTIONS_WORKER_RUNTIME", ...expected].sort());
  const parsed = settings.parse(sample);
  for (const name of expected) {
    const alone = settings.shape[name].safeParse(undefined);
    if (name === "ALLOW_ANONYMOUS" || name === "AzureWebJobsStorage" || !alone.success) continue;
    assert.deepEqual(parsed[name], alone.data, name);
  }
});

for (const path of [...documents, ".github/CONTRIBUTING.md", ".github/SECURITY.md"]) {
  describe(path, () => {
    const text = readDocument(path);

    test("links to files and headings that exist", () => {
      for (const [, target = ""] of text.matchAll(/\]\(((?!https?:)[^)]+)\)/g)) {
        const [file = "", anchor] = target.split("#");
        const linked = file === "" ? path : join(dirname(path), file);
        assert.ok(existsSync(join(root, linked)), target);
        if (anchor !== undefined) assert.ok(anchorsOf(readDocument(linked)).includes(anchor), target);
      }
    });

    test("uses existing npm scripts", () => {
      const called = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, script = ""]) => script);
      assert.deepEqual(missing(called, Object.keys(manifest.scripts)), []);
    });
  });
}

for (const path of documents) {
  describe(`settings in ${path}`, () => {
    for (const row of readSettingRows(path)) {
      for (const name of settingNames.filter((setting) => namesIn(row.name).includes(setting))) {
        test(`${name}: range and default are those of the code`, () => {
          const schema: z.ZodType = settings.shape[name];
          const accepts = schema.meta()?.accepts;
          if (accepts !== undefined) assert.equal(row.range, accepts);
          const { data: byDefault } = schema.safeParse(undefined);
          if (typeof byDefault === "object" || byDefault === undefined) return;
          assert.equal(row.default, `\`${byDefault}\``);
        });
      }
    }
  });
}

/** Anchors that GitHub generates from headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}

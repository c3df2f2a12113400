import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { infra, listFiles, readBicep } from "./bicep.ts";

/**
 * The types that the Bicep files use, with their API version and the properties of the published schema: a misspelt
 * property or a version that does not exist fails here, without a compiler. A new property is added to the table after it
 * has been found in the schema that `source` names. `*` stands for names that are free.
 */
const table = z
  .object({
    source: z.string().min(1),
    /** Properties that the service accepts and the schema lacks; the reason is beside them in the Bicep file. */
    beyondSchema: z.record(z.string(), z.array(z.string())),
    types: z.record(
      z.string(),
      z.object({ version: z.string().regex(/^\d{4}-\d\d-\d\d(-preview)?$/), properties: z.array(z.string()) }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, "resource-types.json"), "utf8")));

const resources = listFiles(".bicep").flatMap((path) => readBicep(path).resources.map((each) => ({ ...each, path })));

for (const { path, symbol, type, version, existing, paths, get } of resources) {
  // App settings have free names; app-settings.test.ts compares them with the code.
  const free = type === "Microsoft.Web/sites/config" && get("name") === "'appsettings'";

  test(`${path} ${symbol}: type, version and properties are those of the schema`, () => {
    const known = table.types[type] ?? assert.fail(`${type} is not in the table`);
    assert.equal(version, known.version);
    if (existing || free) return;
    const allowed = [...known.properties, ...(table.beyondSchema[type] ?? [])];
    const unknown = paths.filter((each) => !allowed.some((pattern) => fits(each, pattern)));
    assert.deepEqual(unknown, []);
  });
}

test("every entry of the table is used", () => {
  for (const [type, { properties }] of Object.entries(table.types)) {
    const used = resources.filter((resource) => resource.type === type);
    assert.ok(used.length > 0, type);
    const paths = used.flatMap((resource) => resource.paths);
    const unused = properties.filter((pattern) => !paths.some((path) => fits(path, pattern)));
    assert.deepEqual(unused, [], type);
  }
});

function fits(path: string, pattern: string): boolean {
  return pattern.endsWith(".*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

const compiler = spawnSync("bicep", ["--version"], { encoding: "utf8" });
const skip = compiler.status === 0 ? false : "bicep is not on the PATH; CI compiles the files";

test("the Bicep compiler finds no error and no warning in any file", { skip }, () => {
  const options = { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 } as const;
  const { status, stderr } = spawnSync("bicep", ["build", "--stdout", join(infra, "main.bicep")], options);
  assert.deepEqual({ status, stderr: stderr.trim() }, { status: 0, stderr: "" }, compiler.stdout.trim());
});

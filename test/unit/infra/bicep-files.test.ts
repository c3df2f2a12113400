import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname, join, posix } from "node:path";
import { describe, test } from "node:test";
import * as z from "zod";
import { missing, namesIn, readDocument, readSettingRows } from "../documents.ts";
import { findFaults, infra, listFiles, readBicep } from "./bicep.ts";
import { choices, chosenSettings, parameterNames } from "./parameters.ts";

const files = listFiles(".bicep").map(readBicep);
const main = readBicep("main.bicep");
const document = readDocument("infra/README.md");

for (const path of listFiles(".bicep")) {
  test(`${path} is valid Bicep`, () => assert.deepEqual(findFaults(path), []));
}

test("every file except main.bicep is used as a module", () => {
  const used = files.flatMap((file) => file.modules.map(({ path }) => posix.join(dirname(file.path), path)));
  const others = files.map(({ path }) => path).filter((path) => path !== "main.bicep");
  assert.deepEqual([...new Set(used)].sort(), others);
});

for (const file of files) {
  describe(file.path, () => {
    for (const module of file.modules) {
      const called = readBicep(posix.join(dirname(file.path), module.path));

      test(`passes the required parameters to ${module.symbol}`, () => {
        const required = called.params.filter((param) => param.required);
        assert.deepEqual(missing(module.params, namesOf(called.params)), [], "not declared there");
        assert.deepEqual(missing(namesOf(required), module.params), [], "missing here");
      });

      test(`uses every output of ${module.symbol}, and only existing ones`, () => {
        const outputs = namesOf(called.outputs);
        const used = (symbol: string) => {
          const uses = file.tree.text.matchAll(new RegExp(`\\b${symbol}[!.?]*\\.outputs\\.(\\w+)`, "g"));
          return [...uses].map(([, name = ""]) => name);
        };
        assert.deepEqual(missing(used(module.symbol), outputs), [], "not declared there");
        // A module that is used twice need not be used in full each time.
        const usedOfFile = file.modules
          .filter(({ path }) => path === module.path)
          .flatMap(({ symbol }) => used(symbol));
        assert.deepEqual([...new Set(usedOfFile)].sort(), outputs.sort());
      });
    }

    test("uses every parameter, variable and existing resource that it declares, and no other names", () => {
      const existing = file.resources.filter((resource) => resource.existing).map(({ symbol }) => symbol);
      const declared = [...namesOf(file.params), ...file.variables, ...existing];
      const unused = declared.filter((name) => file.uses(name) === 0);
      assert.deepEqual([unused, file.unknown()], [[], []]);
    });

    test("uses each resource type in one version", () => {
      for (const { type, version } of file.resources) {
        for (const other of files.flatMap(({ resources }) => resources)) {
          if (other.type === type) assert.equal(other.version, version, `${type} in ${file.path}`);
        }
      }
    });

    test("has a description", () => assert.match(file.tree.text, /^metadata description = '/m));
  });
}

describe("the values of a deployment", () => {
  test("exist for every parameter of main.bicep, and for no other", () => {
    assert.deepEqual(parameterNames.toSorted(), namesOf(main.params).sort());
  });

  test("are in main.parameters.json, for which azd evaluates @allowed", () => {
    assert.deepEqual(listFiles(".bicepparam"), []);
    assert.match(main.tree.text, /@metadata\(\{ azd: \{ type: 'location' \} \}\)\nparam location string\n/);
    assert.equal(choices.location?.variable, "AZURE_LOCATION");
  });

  test("have no default in the parameters file, and a description in main.bicep", () => {
    assert.ok(Object.values(choices).every(({ fallback }) => fallback === undefined));
    assert.ok(main.params.every(({ described }) => described));
  });

  test("come from azd variables that infra/README.md lists", () => {
    const names = Object.values({ ...choices, ...chosenSettings }).map(({ variable }) => `\`${variable}\``);
    assert.ok(names.length > 20);
    const undocumented = names.filter((name) => !document.includes(name));
    assert.deepEqual(undocumented, []);
  });

  const rows = readSettingRows("infra/README.md").flatMap((row) => namesIn(row.name).map((name) => ({ name, row })));
  for (const [name, { variable }] of Object.entries(choices)) {
    const param = main.params.find((each) => each.name === name) ?? assert.fail(name);
    const row = rows.find((each) => each.name === variable)?.row;
    if (row === undefined) continue;

    test(`${variable}: infra/README.md has the range and default of its parameter`, () => {
      if (param.range !== undefined) assert.equal(row.range, param.range);
      if (param.byDefault !== undefined && param.byDefault !== "") assert.equal(row.default, `\`${param.byDefault}\``);
    });
  }
});

test("infra/README.md lists all outputs", () => {
  const undocumented = namesOf(main.outputs).filter((name) => !document.includes(name));
  assert.deepEqual(undocumented, []);
});

test("every abbreviation is defined and used", () => {
  const abbreviations = z
    .record(z.string(), z.string().regex(/^[a-z]+$/))
    .parse(JSON.parse(readDocument("infra/abbreviations.json")));
  const used = [...main.tree.text.matchAll(/abbreviations\.(?!json)(\w+)/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(used)].sort(), Object.keys(abbreviations).sort());
});

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
  .parse(JSON.parse(readDocument("test/unit/infra/resource-types.json")));

const resources = files.flatMap((file) => file.resources.map((each) => ({ ...each, path: file.path })));

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

function namesOf(named: readonly { name: string }[]): string[] {
  return named.map(({ name }) => name);
}

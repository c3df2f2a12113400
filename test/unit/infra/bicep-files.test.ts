import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { describe, test } from "node:test";
import * as z from "zod";
import { namesIn, readDocument, readSettingRows } from "../documents.ts";
import { type BicepFile, findFaults, infra, listFiles, readBicep } from "./bicep.ts";
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
        const declared = called.params.map(({ name }) => name);
        const required = called.params.filter((param) => param.required).map(({ name }) => name);
        assert.deepEqual(
          module.params.filter((name) => !declared.includes(name)),
          [],
          "not declared there",
        );
        assert.deepEqual(
          required.filter((name) => !module.params.includes(name)),
          [],
          "missing here",
        );
      });

      test(`uses every output of ${module.symbol}, and only existing ones`, () => {
        const outputs = called.outputs.map(({ name }) => name);
        const used = (symbol: string) =>
          [...file.tree.text.matchAll(new RegExp(`\\b${symbol}[!.?]*\\.outputs\\.(\\w+)`, "g"))].map(
            ([, name = ""]) => name,
          );
        assert.deepEqual(
          used(module.symbol).filter((name) => !outputs.includes(name)),
          [],
          "not declared there",
        );
        // A module that is used twice need not be used in full each time.
        const usedOfFile = file.modules
          .filter(({ path }) => path === module.path)
          .flatMap(({ symbol }) => used(symbol));
        assert.deepEqual([...new Set(usedOfFile)].sort(), outputs.sort());
      });
    }

    test("uses every parameter and variable", () => {
      const declared = [...file.params.map(({ name }) => name), ...file.variables];
      assert.deepEqual(
        declared.filter((name) => file.uses(name) === 0),
        [],
      );
    });

    test("uses only declared names", () => {
      assert.deepEqual(file.unknown(), []);
    });

    test("uses every existing resource that it declares", () => {
      const existing = file.resources.filter((resource) => resource.existing).map(({ symbol }) => symbol);
      assert.deepEqual(
        existing.filter((symbol) => file.uses(symbol) === 0),
        [],
      );
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
    assert.deepEqual(parameterNames.toSorted(), main.params.map(({ name }) => name).sort());
  });

  test("are in main.parameters.json, for which azd evaluates @allowed", () => {
    assert.deepEqual(listFiles(".bicepparam"), []);
    assert.match(main.tree.text, /@metadata\(\{ azd: \{ type: 'location' \} \}\)\nparam location string\n/);
    assert.equal(choices.location?.variable, "AZURE_LOCATION");
  });

  test("have no default in the parameters file", () => {
    assert.deepEqual(
      Object.entries(choices).filter(([, { fallback }]) => fallback !== undefined),
      [],
    );
  });

  test("have a description in main.bicep", () => {
    assert.deepEqual(
      main.params.filter(({ described }) => !described),
      [],
    );
  });

  test("come from azd variables that infra/README.md lists", () => {
    const names = Object.values({ ...choices, ...chosenSettings }).map(({ variable }) => `\`${variable}\``);
    assert.ok(names.length > 20);
    assert.deepEqual(
      names.filter((name) => !document.includes(name)),
      [],
    );
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
  assert.deepEqual(
    outputsOf(main).filter((name) => !document.includes(name)),
    [],
  );
});

test("every abbreviation is defined and used", () => {
  const abbreviations = z
    .record(z.string(), z.string().regex(/^[a-z]+$/))
    .parse(JSON.parse(readFileSync(join(infra, "abbreviations.json"), "utf8")));
  const used = [...main.tree.text.matchAll(/abbreviations\.(?!json)(\w+)/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(used)].sort(), Object.keys(abbreviations).sort());
});

function outputsOf({ outputs }: BicepFile): string[] {
  return outputs.map(({ name }) => name);
}

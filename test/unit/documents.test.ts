import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import * as z from "zod";
import { carryOverRules } from "../../src/face/carry-over.ts";
import { apiVersions } from "../../src/face/model.ts";
import { documents, missing, namesIn, readDocument, readRows } from "./documents.ts";

const root = join(import.meta.dirname, "../..");
const manifest = z
  .object({
    scripts: z.record(z.string(), z.string()),
    dependencies: z.record(z.string(), z.string()),
    devDependencies: z.record(z.string(), z.string()),
    optionalDependencies: z.record(z.string(), z.string()).default({}),
  })
  .parse(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));

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
  assert.deepEqual(
    documented,
    carryOverRules.map(({ field, towards }) => ({ field, towards })),
  );
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

/** Anchors that GitHub generates from headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}

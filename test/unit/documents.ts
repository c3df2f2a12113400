import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

/** The folder of the repository. */
export const root = join(import.meta.dirname, "../..");

/** The documents of the repository, by their paths. */
export const documents = [
  "README.md",
  "src/README.md",
  "infra/README.md",
  "test/local/README.md",
  "test/bench/README.md",
];

/** The text of a file of the repository. */
export function readDocument(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

const names = z.record(z.string(), z.string());
/** `package.json`. */
export const manifest = z
  .object({
    ...{ name: z.string(), main: z.string(), scripts: names },
    ...{ dependencies: names, devDependencies: names, optionalDependencies: names },
    allowScripts: z.record(z.string(), z.boolean()),
  })
  .parse(JSON.parse(readDocument("package.json")));

/** One row of a table, by the headings of its columns. */
export type Row = Record<string, string>;

/** Every table row of a document; a cell's text is trimmed. */
export function readRows(path: string): Row[] {
  const rows: Row[] = [];
  let headings: string[] | undefined;
  for (const line of readDocument(path).split("\n")) {
    if (!line.startsWith("|")) headings = undefined;
    else if (headings === undefined) headings = cellsOf(line);
    else if (!/^\|[-|]+\|$/.test(line)) {
      rows.push(Object.fromEntries(headings.map((heading, index) => [heading, cellsOf(line)[index] ?? ""])));
    }
  }
  return rows;
}

/** The rows that describe a setting: those of tables with the columns name, range and default. */
export function readSettingRows(path: string): Row[] {
  return readRows(path).filter((row) => "name" in row && "range" in row && "default" in row);
}

/** Names in code font within a cell. */
export function namesIn(cell: string | undefined): string[] {
  return [...(cell ?? "").matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
}

/** The names that are not among the known ones. */
export function missing(names: readonly string[], known: readonly string[]): string[] {
  return names.filter((name) => !known.includes(name));
}

function cellsOf(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

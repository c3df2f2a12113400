import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Language, type Node, Parser } from "web-tree-sitter";

/** The functions and decorators of Bicep that these files use. */
const builtIn = (
  "bool concat contains empty environment fail filter guid int items loadJsonContent loadTextContent map max split " +
  "string subscription subscriptionResourceId tenant toLower toObject trim union uniqueString allowed batchSize " +
  "description maxLength maxValue metadata minLength minValue secure"
).split(" ");
const declarations = ["parameter", "variable", "resource", "module", "output"].map((kind) => `${kind}_declaration`);

export const infra = join(import.meta.dirname, "../../../infra");

await Parser.init();
const parser = new Parser().setLanguage(
  await Language.load(createRequire(import.meta.url).resolve("tree-sitter-bicep/tree-sitter-bicep.wasm")),
);

/** Paths of all files with this extension below infra/, with slashes. */
export function listFiles(ending: string): string[] {
  return readdirSync(infra, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending))
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
}

type BicepFile = ReturnType<typeof readBicep>;
export type Resource = ReturnType<typeof readResource>;

/**
 * Facts about a Bicep file for tests, from a grammar. Not compiled.
 *
 * @param path below infra/, with slashes.
 */
export function readBicep(path: string) {
  const tree = parse(path);
  const names = new Map<string, number>();
  for (const node of nodesOf(tree, "identifier")) {
    if (!namesSomething(node)) names.set(node.text, (names.get(node.text) ?? 0) + 1);
  }
  return {
    path,
    tree,
    params: nodesOf(tree, "parameter_declaration").map(readParam),
    variables: nodesOf(tree, "variable_declaration").map(nameOf),
    resources: nodesOf(tree, "resource_declaration").map(readResource),
    modules: nodesOf(tree, "module_declaration").map(readModule),
    outputs: nodesOf(tree, "output_declaration").map((node) => ({ name: nameOf(node), value: last(node).text })),
    /** Number of uses of each name, without its declaration. */
    uses: (name: string) => names.get(name) ?? 0,
    /** Undeclared names, and unknown functions. */
    unknown: () => {
      // Variables of lambdas and loops.
      const local = tree.text
        .matchAll(/(\w+) =>|for (\w+) in|for \((\w+), (\w+)\) in/g)
        .flatMap((found) => found.slice(1));
      const known = new Set([...nodesOf(tree, declarations).map(nameOf), ...local, ...builtIn]);
      return [...names.keys()].filter((name) => !known.has(name));
    },
  };
}

/** Keys of all objects at a path, through unions, conditions and other expressions. */
export function keysIn(tree: Node): string[] {
  return nodesOf(tree, "object_property").map(keyOf);
}

/** The value of a parameter, variable or resource. */
export function valueGiven({ tree }: BicepFile, name: string): Node {
  const found = nodesOf(tree, declarations).find((node) => nameOf(node) === name);
  if (found === undefined) throw new Error(`${name} is not declared`);
  return last(found);
}

/** Syntax errors as `line: text`. */
export function findFaults(path: string): string[] {
  const faults: string[] = [];
  const walk = (node: Node) => {
    if (node.isError || node.isMissing) faults.push(`${node.startPosition.row + 1}: ${node.text}`);
    for (const child of node.children) walk(exists(child));
  };
  walk(parse(path));
  return faults;
}

function parse(path: string): Node {
  const tree = parser.parse(readFileSync(join(infra, path), "utf8"));
  if (tree === null) throw new Error(`${path} is not parsed`);
  return tree.rootNode;
}

function nodesOf(tree: Node, types: string | string[]): Node[] {
  return tree.descendantsOfType(types).map(exists);
}

function readParam(node: Node) {
  const decorators = node.previousNamedSibling?.type === "decorators" ? node.previousNamedSibling.text : "";
  return {
    name: nameOf(node),
    // Name, type, and the default if there is one.
    required: node.namedChildCount === 2,
    described: decorators.includes("@description("),
    secure: decorators.includes("@secure()"),
    /** Minimum and maximum, or the allowed values, in the format of the documents. */
    range: rangeOf(decorators) ?? (node.namedChildren[1]?.text === "bool" ? "`true`, `false`" : undefined),
    /** Text of a default that is a literal, without quotes. */
    byDefault: /^('[^']*'|\d+|true|false)$/.exec(last(node).text)?.[0].replaceAll("'", ""),
  };
}

function rangeOf(decorators: string): string | undefined {
  const [, min] = /@minValue\((\d+)\)/.exec(decorators) ?? [];
  const [, max] = /@maxValue\((\d+)\)/.exec(decorators) ?? [];
  if (min !== undefined && max !== undefined) return `${min}–${max}`;
  const [, allowed] = /@allowed\(\[([^\]\n]+)\]\)/.exec(decorators) ?? [];
  return allowed
    ?.split(", ")
    .map((value) => `\`${value.replaceAll("'", "")}\``)
    .join(", ");
}

function readResource(node: Node) {
  const body = bodyOf(node);
  return {
    symbol: nameOf(node),
    /** Full type and version, also for nested resources. */
    ...typeOf(node),
    existing: node.children.some((child) => child?.text === "existing"),
    /** All properties, such as `properties.sku.name`, except name, parent, scope and dependsOn. */
    paths: [...new Set(pathsIn(body, ""))].filter((path) => !/^(name|parent|scope|dependsOn)\b/.test(path)),
    /** Text of a property's value. Undefined if it is not set. */
    get: (...path: string[]) => path.reduce<Node | undefined>((at, key) => at && propertyOf(at, key), body)?.text,
  };
}

function typeOf(node: Node): { type: string; version: string } {
  const [type = "", version] = literal(exists(node.namedChildren[1])).split("@");
  if (version !== undefined) return { type, version };
  const outer = outerResource(node);
  return { type: `${outer.type}/${type}`, version: outer.version };
}

function outerResource(node: Node): { type: string; version: string } {
  let at = node.parent;
  while (at !== null && at.type !== "resource_declaration") at = at.parent;
  return typeOf(exists(at));
}

/** Paths of all properties below a value, through arrays, conditions, loops and unions. */
function pathsIn(value: Node, above: string): string[] {
  if (value.type === "resource_declaration" || isText(value)) return [];
  if (value.type !== "object_property") {
    return value.namedChildren.flatMap((child) => pathsIn(exists(child), above));
  }
  // A nested resource is among the properties.
  if (value.namedChildren[0]?.type === "resource_declaration") return [];
  const path = above === "" ? keyOf(value) : `${above}.${keyOf(value)}`;
  const below = pathsIn(last(value), path);
  return below.length === 0 ? [path] : below;
}

/** Objects that are converted to strings are not properties of the resource. */
function isText(value: Node): boolean {
  return value.type === "call_expression" && value.text.startsWith("string(");
}

function readModule(node: Node) {
  const params = propertyOf(bodyOf(node), "params");
  return {
    symbol: nameOf(node),
    /** Text of the expression. */
    path: literal(exists(node.namedChildren[1])),
    params: params === undefined ? [] : propertiesOf(params).map(keyOf),
  };
}

/** The object of a declaration, also of conditions and loops. */
function bodyOf(node: Node): Node {
  return node.type === "object" ? node : bodyOf(last(node));
}

function propertiesOf(node: Node): Node[] {
  return node.namedChildren.map(exists).filter(({ type }) => type === "object_property");
}

function propertyOf(node: Node, key: string): Node | undefined {
  const property = propertiesOf(node).find((candidate) => keyOf(candidate) === key);
  return property && last(property);
}

function keyOf(property: Node): string {
  return literal(exists(property.namedChildren[0]));
}

function nameOf(declaration: Node): string {
  return exists(declaration.namedChildren[0]).text;
}

/** The text of a string without quotes, or of a name. */
function literal(node: Node): string {
  return node.text.replace(/^'|'$/g, "");
}

function namesSomething(node: Node): boolean {
  const isFirst = node.parent?.namedChildren[0]?.id === node.id;
  return isFirst && /(_declaration|^object_property)$/.test(node.parent?.type ?? "");
}

function last(node: Node): Node {
  return exists(node.namedChildren.at(-1));
}

function exists(node: Node | null | undefined): Node {
  if (!node) throw new Error("The tree has a hole.");
  return node;
}

/** The only resource of a type that a file of infra/ declares. Throws if there is none. */
export function findResource(path: string, type: string): Resource {
  const found = readBicep(path).resources.find((resource) => resource.type === type && !resource.existing);
  if (found === undefined) throw new Error(`${path} has no ${type}`);
  return found;
}

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Language, type Node, Parser } from "web-tree-sitter";

/** What the tests ask of a Bicep file, read with a grammar: nothing here knows what Azure makes of it. */
export interface BicepFile {
  /** Below infra/, with slashes. */
  path: string;
  tree: Node;
  params: Param[];
  variables: string[];
  resources: Resource[];
  modules: Module[];
  outputs: { name: string; value: string }[];
  /** How often a name stands for a value, its declaration not counted. */
  uses(name: string): number;
  /** Names that stand for values and are declared nowhere, and functions that Bicep does not have. */
  unknown(): string[];
}

export interface Param {
  name: string;
  required: boolean;
  described: boolean;
  secure: boolean;
}

export interface Resource {
  symbol: string;
  /** Without the version. */
  type: string;
  version: string | undefined;
  existing: boolean;
  /** The text of a property's value, or undefined where it is not set. */
  get(...path: string[]): string | undefined;
}

export interface Module {
  symbol: string;
  /** As it stands there. */
  path: string;
  params: string[];
}

/** The functions and decorators of Bicep that these files use. */
const builtIn = [
  [
    "bool",
    "concat",
    "empty",
    "environment",
    "filter",
    "guid",
    "int",
    "items",
    "loadJsonContent",
    "loadTextContent",
    "map",
    "max",
  ],
  [
    "readEnvironmentVariable",
    "split",
    "string",
    "subscription",
    "subscriptionResourceId",
    "tenant",
    "toLower",
    "toObject",
  ],
  [
    "union",
    "uniqueString",
    "allowed",
    "batchSize",
    "description",
    "maxLength",
    "maxValue",
    "minLength",
    "minValue",
    "secure",
  ],
].flat();
const declarations = [
  "parameter_declaration",
  "variable_declaration",
  "resource_declaration",
  "module_declaration",
  "output_declaration",
];

export const infra = join(import.meta.dirname, "../../../infra");

await Parser.init();
const parser = new Parser().setLanguage(
  await Language.load(createRequire(import.meta.url).resolve("tree-sitter-bicep/tree-sitter-bicep.wasm")),
);

/** The paths of all files with such an ending below infra/, with slashes. */
export function listFiles(ending: string): string[] {
  return readdirSync(infra, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending))
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
}

export function readBicep(path: string): BicepFile {
  const tree = parse(path);
  const bodies = tree.descendantsOfType("resource_declaration").map(exists);
  const names = new Map<string, number>();
  for (const node of tree.descendantsOfType("identifier").map(exists)) {
    if (!namesSomething(node)) names.set(node.text, (names.get(node.text) ?? 0) + 1);
  }
  return {
    path,
    tree,
    params: tree.descendantsOfType("parameter_declaration").map(exists).map(readParam),
    variables: tree.descendantsOfType("variable_declaration").map(exists).map(nameOf),
    resources: bodies.map(readResource),
    modules: tree.descendantsOfType("module_declaration").map(exists).map(readModule),
    outputs: tree
      .descendantsOfType("output_declaration")
      .map(exists)
      .map((node) => ({ name: nameOf(node), value: last(node).text })),
    uses: (name) => names.get(name) ?? 0,
    unknown: () => {
      const declared = tree.descendantsOfType(declarations).map(exists).map(nameOf);
      // A lambda or a loop names what it goes through.
      const local = [...tree.text.matchAll(/(\w+) =>|for (\w+) in|for \((\w+), (\w+)\) in/g)].flatMap((names) =>
        names.slice(1),
      );
      return [...names.keys()].filter((name) => ![...declared, ...local, ...builtIn].includes(name));
    },
  };
}

/** The keys of all objects at a path, through unions, conditions and what else is in between. */
export function keysIn(tree: Node): string[] {
  return tree.descendantsOfType("object_property").map(exists).map(keyOf);
}

/** The value that a name is given in a file, be it a parameter, a variable or a resource. */
export function valueGiven({ tree }: BicepFile, name: string): Node {
  const found = tree
    .descendantsOfType(declarations)
    .map(exists)
    .find((node) => nameOf(node) === name);
  if (found === undefined) throw new Error(`${name} is not declared`);
  return last(found);
}

/** Where the grammar does not know what stands there, as `line: text`. */
export function findFaults(path: string): string[] {
  const faults: string[] = [];
  const walk = (node: Node) => {
    if (node.isError || node.isMissing) faults.push(`${node.startPosition.row + 1}: ${node.text}`);
    for (const child of node.children) walk(exists(child));
  };
  walk(parse(path));
  return faults;
}

/** The grammar has no parameters without a type, which are all that sets a file of values apart from others. */
function parse(path: string): Node {
  const text = readFileSync(join(infra, path), "utf8");
  const readable = path.endsWith(".bicepparam") ? text.replace(/^param (?=\w+ =)/gm, "var ") : text;
  const tree = parser.parse(readable);
  if (tree === null) throw new Error(`${path} is not parsed`);
  return tree.rootNode;
}

function readParam(node: Node): Param {
  const decorators = node.previousNamedSibling?.type === "decorators" ? node.previousNamedSibling.text : "";
  return {
    name: nameOf(node),
    // Its name and its type, and a third thing where it has a default.
    required: node.namedChildCount === 2,
    described: decorators.includes("@description("),
    secure: decorators.includes("@secure()"),
  };
}

function readResource(node: Node): Resource {
  const [type = "", version] = literal(exists(node.namedChildren[1])).split("@");
  const body = bodyOf(node);
  return {
    symbol: nameOf(node),
    type,
    version,
    existing: node.children.some((child) => child?.text === "existing"),
    get: (...path) => path.reduce<Node | undefined>((at, key) => at && propertyOf(at, key), body)?.text,
  };
}

function readModule(node: Node): Module {
  const params = propertyOf(bodyOf(node), "params");
  return {
    symbol: nameOf(node),
    path: literal(exists(node.namedChildren[1])),
    params: params === undefined ? [] : propertiesOf(params).map(keyOf),
  };
}

/** The object of a declaration, be it conditional or repeated. */
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

/** The text of a string without its quotes; that of a name as it is. */
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

import type { TableEntity, TransactionAction } from "@azure/data-tables";
import type { Bounds, Conditions, Query } from "../../../src/storage/azure/query.ts";
import type { Conflict, Entity, Table, Written } from "../../../src/storage/azure/table.ts";
import { maxTransactionRows } from "../../../src/storage/azure/transactions.ts";
import type { Calls } from "./calls.ts";

/** A table in memory with the semantics of Azure Tables that the stores use. It is independent of the processes that use it. */
export interface MemoryTable extends Pick<Rows, "put" | "get" | "remove"> {
  /** All rows, ascending by keys. */
  all(): Entity[];
  /** The table for one process: each request is one of its calls, named `{table}.{verb}`. */
  open(calls: Calls): Table;
}

/** The operations of `Table`, synchronous. */
type Rows = ReturnType<typeof createRows>;

export function createMemoryTable(name: string): MemoryTable {
  const rows = createRows();
  return {
    ...rows,
    all: () => rows.page({ where: {}, pageSize: Number.MAX_SAFE_INTEGER }, undefined).rows,
    open(calls) {
      const call = <T>(verb: string, effect: () => T) => calls.run(`${name}.${verb}`, effect);
      return {
        name,
        get: (partitionKey, rowKey) => call("get", () => rows.get(partitionKey, rowKey)),
        put: (entity) => call("put", () => rows.put(entity)),
        merge: (entity) => call("merge", () => rows.merge(entity)),
        remove: (partitionKey, rowKey, etag) => call("remove", () => rows.remove(partitionKey, rowKey, etag)),
        transact: (actions) => call("transact", () => rows.transact(actions)),
        async *query(query) {
          const { mayContinue = () => true } = query;
          let last: Entity | undefined;
          let pages = 0;
          do {
            const after = last;
            const page = await call("query", () => rows.page(query, after));
            yield* page.rows;
            last = page.more ? page.rows.at(-1) : undefined;
            pages += 1;
          } while (last !== undefined && mayContinue(pages));
        },
      };
    },
  };
}

function createRows() {
  let rows = new Map<string, Entity>();
  let version = 0;

  function apply([kind, entity, mode = "Merge", options]: TransactionAction): Conflict["reason"] | { etag: string } {
    const key = keyOf(entity);
    const found = rows.get(key);
    if (kind === "create" && found !== undefined) return "exists";
    if ((kind === "update" || kind === "delete") && found === undefined) return "missing";
    const etag = kind === "update" ? options?.etag : undefined;
    if (!isVersion(found, etag)) return "changed";
    if (kind === "delete") {
      rows.delete(key);
      return { etag: "*" };
    }
    const { partitionKey, rowKey, ...values } = propertiesOf(entity);
    version += 1;
    const kept = kind === "create" || mode === "Replace" ? {} : found;
    const stored: Entity = { ...kept, ...values, partitionKey, rowKey, etag: `W/"${version}"` };
    rows.set(key, stored);
    return stored;
  }

  function must(action: TransactionAction): string {
    const outcome = apply(action);
    if (typeof outcome === "string") throw new Error(`The row is ${outcome}`);
    return outcome.etag;
  }

  return {
    get(partitionKey: string, rowKey: string): Entity | undefined {
      const found = rows.get(keyOf({ partitionKey, rowKey }));
      return found && { ...found };
    },
    put: (entity: TableEntity) => must(["upsert", entity, "Replace"]),
    merge: (entity: TableEntity) => apply(["update", entity, "Merge"]) !== "missing",
    remove(partitionKey: string, rowKey: string, etag?: string): "removed" | Conflict["reason"] {
      const key = keyOf({ partitionKey, rowKey });
      const found = rows.get(key);
      if (found === undefined) return "missing";
      if (!isVersion(found, etag)) return "changed";
      rows.delete(key);
      return "removed";
    },
    transact(actions: readonly TransactionAction[]): Written {
      const keys = new Set(actions.map(([, entity]) => keyOf(entity)));
      const partitions = new Set(actions.map(([, { partitionKey }]) => partitionKey));
      if (partitions.size !== 1 || keys.size < actions.length || keys.size > maxTransactionRows) {
        throw new Error("a transaction needs 1 to 100 rows of one partition, each row once");
      }
      const before = new Map(rows);
      const etags: string[] = [];
      for (const action of actions) {
        const outcome = apply(action);
        if (typeof outcome === "string") {
          rows = before;
          return { conflict: { reason: outcome, repeated: false } };
        }
        etags.push(outcome.etag);
      }
      return { etags };
    },
    /** One page of the rows of a query after the given row, and whether more rows follow. */
    page({ where, anyOf, select, pageSize = 1000 }: Query, after: Entity | undefined) {
      const found = [...rows.values()]
        .filter((row) => meets(row, where) && (anyOf === undefined || anyOf.some((other) => meets(row, other))))
        .sort(byKeys)
        .filter((row) => after === undefined || byKeys(row, after) > 0);
      return { rows: found.slice(0, pageSize).map((row) => pick(row, select)), more: found.length > pageSize };
    },
  };
}

function isVersion(found: Entity | undefined, etag: string | undefined): boolean {
  return etag === undefined || etag === "*" || etag === found?.etag;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: keys must not contain these characters
const forbidden = /[/\\#?\u0000-\u001f\u007f-\u009f]/;

function keyOf({ partitionKey = "", rowKey = "" }: Partial<TableEntity>): string {
  if (forbidden.test(partitionKey + rowKey)) throw new Error(`Invalid key: ${partitionKey}, ${rowKey}`);
  return JSON.stringify([partitionKey, rowKey]);
}

/** The properties of an entity that a table stores: without ETag and timestamp. Throws for unsupported types and lengths. */
function propertiesOf({ etag: _, timestamp: __, ...properties }: Partial<TableEntity>) {
  const { partitionKey = "", rowKey = "", ...values } = properties;
  const kept = Object.entries(values).filter(([, value]) => value !== undefined);
  for (const [name, value] of kept) {
    const fits = typeof value === "string" ? value.length <= 32 * 1024 : /number|boolean|bigint/.test(typeof value);
    if (!fits) throw new TypeError(`The property ${name} has an unsupported value`);
  }
  return { ...Object.fromEntries(kept), partitionKey, rowKey };
}

function meets(row: Entity, conditions: Conditions): boolean {
  return Object.entries(conditions).every(([property, condition]) => {
    const value = propertyOf(row, property);
    if (typeof condition === "boolean") return value === condition;
    if (typeof value !== "string") return false;
    const {
      from = value,
      through = value,
      after,
      before,
    }: Bounds = typeof condition === "string" ? { from: condition, through: condition } : condition;
    return (
      value >= from &&
      value <= through &&
      (after === undefined || value > after) &&
      (before === undefined || value < before)
    );
  });
}

function propertyOf(row: Entity, property: string): unknown {
  if (property === "PartitionKey") return row.partitionKey;
  return property === "RowKey" ? row.rowKey : row[property];
}

function pick(row: Entity, select: readonly string[] | undefined): Entity {
  if (select === undefined) return { ...row };
  if (!select.includes("PartitionKey") || !select.includes("RowKey"))
    throw new TypeError("the query does not select the keys");
  const { partitionKey, rowKey, etag } = row;
  const values = select.filter((name) => name in row).map((name) => [name, row[name]]);
  return { ...Object.fromEntries(values), partitionKey, rowKey, etag };
}

function byKeys(a: Entity, b: Entity): number {
  return compare(a.partitionKey, b.partitionKey) || compare(a.rowKey, b.rowKey);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

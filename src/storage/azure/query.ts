/** A query of a table. A row without a property meets no condition on that property. */
export interface Query {
  /** All of these conditions must hold. */
  where: Conditions;
  /** If given, all conditions of at least one element must hold too. */
  anyOf?: readonly Conditions[];
  /** Properties to read, the keys among them. Default: all. */
  select?: string[];
  /** Rows per request, 1 to 1,000. Default 1,000. */
  pageSize?: number;
  /**
   * Called before each further page with the number of pages read; false ends the query. Storage may return any number of
   * pages that are partly filled or empty. Default: every page is read.
   */
  mayContinue?: (pages: number) => boolean;
}

/** The most rows that storage returns in one page. */
export const maxPageSize = 1000;

/** `select` of a query that needs no properties. */
export const keysOnly = ["PartitionKey", "RowKey"];

/** Conditions by property name, `PartitionKey` and `RowKey` included. Only strings and booleans are supported. */
export interface Conditions {
  readonly [property: string]: string | boolean | Bounds;
}

/** Bounds in the order of UTF-16 code units, which is the order of the keys. */
export interface Bounds {
  readonly from?: string;
  readonly after?: string;
  readonly before?: string;
  readonly through?: string;
}

const operators = { from: "ge", after: "gt", before: "lt", through: "le" } as const satisfies Record<
  keyof Bounds,
  string
>;

export async function readAll<T, R>(rows: AsyncIterable<T>, read: (row: T) => R): Promise<R[]> {
  const results: R[] = [];
  for await (const row of rows) results.push(read(row));
  return results;
}

/** The first rows, at most `count`. No page is fetched after the last of them. */
export async function readFirst<T>(rows: AsyncIterable<T>, count: number): Promise<T[]> {
  const results: T[] = [];
  for await (const row of rows) {
    results.push(row);
    if (results.length === count) break;
  }
  return results;
}

/** The OData filter of a query. Every text is quoted, so that no value can add a condition. */
export function writeFilter({ where, anyOf = [] }: Pick<Query, "where" | "anyOf">): string {
  const all = comparisons(where);
  if (anyOf.length > 0) all.push(`(${anyOf.map((conditions) => comparisons(conditions).join(" and ")).join(" or ")})`);
  return all.join(" and ");
}

function comparisons(conditions: Conditions): string[] {
  return Object.entries(conditions).flatMap(([property, condition]) => {
    if (typeof condition === "boolean") return `${property} eq ${condition}`;
    if (typeof condition === "string") return `${property} eq ${quote(condition)}`;
    return Object.entries(operators).flatMap(([bound, operator]) => {
      const value = condition[bound as keyof Bounds];
      return value === undefined ? [] : `${property} ${operator} ${quote(value)}`;
    });
  });
}

function quote(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** What a query of a table looks for: every condition must hold. A row without a property meets no condition on it. */
export interface Query {
  where: Conditions;
  /** And one of these, where they are given. */
  anyOf?: readonly Conditions[];
  /** Properties to read, the keys among them. Default: all. */
  select?: string[];
  /** Rows per request, 1 to 1,000. Default 1,000. */
  pageSize?: number;
  /**
   * Asked before each further page, with the number of pages so far: false ends the query there. Storage may answer any
   * number of pages that are partly filled or empty. Default: every page is read.
   */
  mayContinue?: (pages: number) => boolean;
}

/** The most rows that storage answers in one page. */
export const maxPageSize = 1000;

/** By name of the property, `PartitionKey` and `RowKey` included. Only strings and flags can be asked for. */
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

/** The OData filter of a query, in which every text is a quoted string, whatever it holds. */
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

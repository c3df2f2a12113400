/** A value in a row, with the version in which it is. */
export interface Versioned<T> {
  value: T;
  etag: string;
}

/** A table in memory. What goes in or out is copied, as with a real one. */
export interface Rows<T> {
  get(partition: string, row: string): Versioned<T> | undefined;
  /** Inserts or replaces, and answers the new ETag. */
  put(partition: string, row: string, value: T): string;
  /** Whether there was one. */
  remove(partition: string, row: string): boolean;
  /** Row keys of a partition, ascending. */
  rowKeys(partition: string): string[];
  /** All that there is, ascending by keys, without the ETags: for comparing. */
  all(): { partition: string; row: string; value: T }[];
}

export function createRows<T>(): Rows<T> {
  const rows = new Map<string, { partition: string; row: string; value: T; etag: string }>();
  const keyOf = (partition: string, row: string) => JSON.stringify([partition, row]);
  let version = 0;
  return {
    get(partition, row) {
      const found = rows.get(keyOf(partition, row));
      return found && { value: structuredClone(found.value), etag: found.etag };
    },
    put(partition, row, value) {
      version += 1;
      const etag = `"${version}"`;
      rows.set(keyOf(partition, row), { partition, row, value: structuredClone(value), etag });
      return etag;
    },
    remove: (partition, row) => rows.delete(keyOf(partition, row)),
    rowKeys: (partition) =>
      [...rows.values()]
        .filter((found) => found.partition === partition)
        .map(({ row }) => row)
        .sort(),
    all: () =>
      [...rows.values()]
        .sort((a, b) => compare(a.partition, b.partition) || compare(a.row, b.row))
        .map(({ partition, row, value }) => ({ partition, row, value: structuredClone(value) })),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

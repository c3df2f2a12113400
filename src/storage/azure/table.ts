import type { TableClient, TableEntity, TransactionAction } from "@azure/data-tables";
import { maxPageSize, type Query, writeFilter } from "./query.ts";
import { type StorageRetryPolicy, sendRequest } from "./send-request.ts";
import { readFailure } from "./storage-errors.ts";
import type { TableWrites } from "./table-writes.ts";

/** A row as the SDK reads it: keys, `etag`, and properties not yet looked at. */
export interface Entity {
  readonly [property: string]: unknown;
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly etag: string;
}

/** Why a write was refused. */
export interface Conflict {
  reason: "exists" | "changed" | "missing";
  /** The write was sent more than once, so that the conflict may be with itself. */
  repeated: boolean;
}

/** ETags in the order of the actions, or why nothing was written. */
export type Written = { etags: string[]; conflict?: never } | { conflict: Conflict };

/**
 * One table, made when it is found missing. Absence and conflicts are values; what storage cannot do at the moment is
 * `ApiError` 503; anything else is the SDK's error.
 */
export interface Table {
  readonly name: string;
  get(partitionKey: string, rowKey: string): Promise<Entity | undefined>;
  /** Inserts the row or replaces it whole, and answers its ETag. */
  put(entity: TableEntity): Promise<string>;
  /** Sets the given properties and leaves the others. False where there is no such row. */
  merge(entity: TableEntity): Promise<boolean>;
  /** Removes the row in the given version, or in any. */
  remove(partitionKey: string, rowKey: string, etag?: string): Promise<"removed" | Conflict["reason"]>;
  /** All or nothing: up to 100 rows of one partition. A delete in here goes by no ETag. */
  transact(actions: TransactionAction[]): Promise<Written>;
  /** In the order of the keys, fetched page by page as they are asked for. */
  query(query: Query): AsyncIterable<Entity>;
}

const reasons: Record<string, Conflict["reason"]> = {
  EntityAlreadyExists: "exists",
  UpdateConditionNotSatisfied: "changed",
  ConditionNotMet: "changed",
  ResourceNotFound: "missing",
  EntityNotFound: "missing",
};

/** The library's client for a table, and what is sent on its pipeline beside. */
export interface ConnectedTable {
  client: TableClient;
  writes: TableWrites;
}

export function openTable(
  name: string,
  connect: () => Promise<ConnectedTable>,
  retryPolicy: StorageRetryPolicy,
): Table {
  /** The request as it is; only where the table turns out to be missing, the table is made and the request repeated. */
  async function call<T>(
    operation: (table: ConnectedTable, abortSignal: AbortSignal, repeated: boolean) => Promise<T>,
  ): Promise<T> {
    const table = await connect();
    const request = () => sendRequest(retryPolicy, (abortSignal, repeated) => operation(table, abortSignal, repeated));
    try {
      return await request();
    } catch (error) {
      if (readFailure(error)?.code !== "TableNotFound") throw error;
    }
    // After a concurrent creation, the SDK treats "already exists" as success.
    await sendRequest(retryPolicy, (abortSignal) => table.client.createTable({ abortSignal }));
    return request();
  }

  return {
    name,
    get: (partitionKey, rowKey) =>
      call(async ({ client }, abortSignal) => {
        try {
          return withKeys(await client.getEntity(partitionKey, rowKey, { abortSignal }));
        } catch (error) {
          if (reasonOf(error) === "missing") return undefined;
          throw error;
        }
      }),
    put: (entity) => call(({ writes }, abortSignal) => writes.put(entity, abortSignal)),
    merge: (entity) =>
      call(async ({ client }, abortSignal) => {
        try {
          await client.updateEntity(entity, "Merge", { abortSignal });
          return true;
        } catch (error) {
          if (reasonOf(error) === "missing") return false;
          throw error;
        }
      }),
    remove: (partitionKey, rowKey, etag = "*") =>
      call(async ({ client }, abortSignal, repeated) => {
        try {
          await client.deleteEntity(partitionKey, rowKey, { abortSignal, etag });
          return "removed";
        } catch (error) {
          const reason = reasonOf(error);
          if (reason === undefined) throw error;
          return reason === "missing" && repeated ? "removed" : reason;
        }
      }),
    transact: (actions) =>
      call(async ({ writes }, abortSignal, repeated) => {
        try {
          return { etags: await writes.transact(actions, abortSignal) };
        } catch (error) {
          const reason = reasonOf(error);
          if (reason === undefined) throw error;
          return { conflict: { reason, repeated } };
        }
      }),
    async *query({ select, pageSize = maxPageSize, mayContinue = () => true, ...conditions }) {
      const filter = writeFilter(conditions);
      const queryOptions = { ...(filter !== "" && { filter }), ...(select !== undefined && { select }) };
      let continuationToken: string | undefined;
      let pages = 0;
      do {
        const settings = { maxPageSize: pageSize, ...(continuationToken !== undefined && { continuationToken }) };
        const page = await call(async ({ client }, abortSignal) => {
          const { value } = await client.listEntities({ queryOptions, abortSignal }).byPage(settings).next();
          return value;
        });
        for (const entity of page ?? []) yield withKeys(entity);
        continuationToken = page?.continuationToken;
        pages += 1;
      } while (continuationToken !== undefined && mayContinue(pages));
    },
  };
}

function reasonOf(error: unknown): Conflict["reason"] | undefined {
  const failure = readFailure(error);
  return failure?.code === undefined ? undefined : reasons[failure.code];
}

function withKeys(entity: { etag: string; partitionKey?: string; rowKey?: string }): Entity {
  const { partitionKey, rowKey } = entity;
  if (partitionKey === undefined || rowKey === undefined) throw new TypeError("The row was selected without its keys");
  // Azure answers a selected property that the row does not have as null; no column can hold one.
  const values = Object.entries(entity).filter(([, value]) => value !== null);
  return { ...Object.fromEntries(values), etag: entity.etag, partitionKey, rowKey };
}

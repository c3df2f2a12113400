import type { TableClient, TableEntity, TransactionAction } from "@azure/data-tables";
import type { TokenCredential } from "@azure/identity";
import type { ContainerClient } from "@azure/storage-blob";
import { compact } from "../../compact.ts";
import type { Clock } from "../../liveness/model/clock.ts";
import { maxPageSize, type Query, writeFilter } from "./query.ts";
import { defaultRetryPolicy, type StorageRetryPolicy, sendOrCreate } from "./send-request.ts";
import { readFailure } from "./storage-errors.ts";
import type { TableWrites } from "./table-writes.ts";

/** A row as the SDK returns it: keys, `etag`, and properties that are not validated yet. */
export interface Entity {
  readonly [property: string]: unknown;
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly etag: string;
}

/** Why a write was refused. */
export interface Conflict {
  reason: "exists" | "changed" | "missing";
  /** The write was sent more than once, so an earlier attempt of the same write may be the cause. */
  repeated: boolean;
}

/** ETags in the order of the actions, or why nothing was written. */
export type Written = { etags: string[]; conflict?: never } | { conflict: Conflict };

/**
 * One table, created when a request finds it missing. Missing rows and conflicts are return values. Methods throw
 * `ApiError` 503 while storage is unavailable, and the SDK's error after any other failure.
 */
export interface Table {
  readonly name: string;
  get(partitionKey: string, rowKey: string): Promise<Entity | undefined>;
  /** Inserts the row or replaces all of it. Returns the new ETag. */
  put(entity: TableEntity): Promise<string>;
  /** Sets the given properties and keeps the others. False if the row is missing. */
  merge(entity: TableEntity): Promise<boolean>;
  /** Removes the row if its ETag is `etag`. Default: whatever its ETag is. */
  remove(partitionKey: string, rowKey: string, etag?: string): Promise<"removed" | Conflict["reason"]>;
  /** One transaction of up to 100 rows of one partition. Deletions are unconditional. */
  transact(actions: TransactionAction[]): Promise<Written>;
  /** Rows in the order of their keys. Each page is fetched when the iteration reaches it. */
  query(query: Query): AsyncIterable<Entity>;
}

const reasons: Record<string, Conflict["reason"]> = {
  EntityAlreadyExists: "exists",
  UpdateConditionNotSatisfied: "changed",
  ConditionNotMet: "changed",
  ResourceNotFound: "missing",
  EntityNotFound: "missing",
};

/** The SDK's client of a table, and the writes that are sent on its pipeline without the client. */
export interface ConnectedTable {
  client: TableClient;
  writes: TableWrites;
}

export function openTable(
  name: string,
  connect: () => Promise<ConnectedTable>,
  retryPolicy: StorageRetryPolicy,
): Table {
  async function call<T>(
    operation: (table: ConnectedTable, abortSignal: AbortSignal, repeated: boolean) => Promise<T>,
  ): Promise<T> {
    const table = await connect();
    const missing = {
      missingCode: "TableNotFound",
      // After a concurrent creation, the SDK treats "already exists" as success.
      create: (abortSignal: AbortSignal) => table.client.createTable({ abortSignal }),
    };
    return sendOrCreate(retryPolicy, missing, (abortSignal, repeated) => operation(table, abortSignal, repeated));
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
      const queryOptions = compact({ filter: filter || undefined, select });
      let continuationToken: string | undefined;
      let pages = 0;
      do {
        const settings = compact({ maxPageSize: pageSize, continuationToken });
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
  // Azure returns null for a selected property that the row lacks.
  return { ...compact(entity), etag: entity.etag, partitionKey, rowKey };
}

/** Addresses and credentials of the storage account, and settings that differ from the defaults. */
export type StorageOptions = (
  | { connectionString: string }
  | { tableUri: string; blobUri: string; credential: TokenCredential }
) & {
  retryPolicy?: Partial<StorageRetryPolicy>;
  /** Clock for the times in rows. Default: the system's. */
  now?: Clock;
};

/** The tables of the app. No request is sent before the first use. */
export interface StorageTables {
  sessions: Table;
  sessionIds: Table;
  expiry: Table;
  users: Table;
  outcomes: Table;
  retryPolicy: StorageRetryPolicy;
  now: Clock;
}

/** A container of blobs, created when a request finds it missing. */
export interface Container {
  /** Runs one request with a timeout and retries; see `sendRequest`. */
  call<T>(operation: (client: ContainerClient, abortSignal: AbortSignal, repeated: boolean) => Promise<T>): Promise<T>;
}

/** The tables and the container of the app. */
export interface StorageConnection extends StorageTables {
  referenceImages: Container;
}

/**
 * Connects to storage. Each SDK is loaded at its first use: together they take longer to load than the rest of the app,
 * and most requests need no blob.
 */
export function connectStorage(options: StorageOptions): StorageConnection {
  const retryPolicy = { ...defaultRetryPolicy, ...options.retryPolicy };
  const table = (name: string) =>
    openTable(
      name,
      once(async () => (await import("./connect-table.ts")).connectTable(options, name)),
      retryPolicy,
    );
  const container = (name: string): Container => {
    const connect = once(async () => (await import("./connect-container.ts")).connectContainer(options, name));
    return {
      async call(operation) {
        const client = await connect();
        const missing = {
          missingCode: "ContainerNotFound",
          create: (abortSignal: AbortSignal) => client.createIfNotExists({ abortSignal }),
        };
        return sendOrCreate(retryPolicy, missing, (abortSignal, repeated) => operation(client, abortSignal, repeated));
      },
    };
  };
  return {
    sessions: table("sessions"),
    sessionIds: table("sessionids"),
    expiry: table("expiry"),
    users: table("users"),
    outcomes: table("outcomes"),
    referenceImages: container("reference-images"),
    retryPolicy,
    now: options.now ?? Date.now,
  };
}

function once<T>(build: () => Promise<T>): () => Promise<T> {
  let built: Promise<T> | undefined;
  return () => (built ??= build());
}

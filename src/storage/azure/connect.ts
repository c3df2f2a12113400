import type { TokenCredential } from "@azure/identity";
import type { ContainerClient } from "@azure/storage-blob";
import type { Clock } from "../../liveness/model/clock.ts";
import { defaultRetryPolicy, type StorageRetryPolicy, sendOrCreate } from "./send-request.ts";
import { openTable, type Table } from "./table.ts";

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
  retryPolicy: StorageRetryPolicy;
  now: Clock;
}

/** A container of blobs, created when a request finds it missing. */
export interface Container {
  /** Runs one request with a time limit and bounded retries; see `sendRequest`. */
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
    referenceImages: container("reference-images"),
    retryPolicy,
    now: options.now ?? Date.now,
  };
}

function once<T>(build: () => Promise<T>): () => Promise<T> {
  let built: Promise<T> | undefined;
  return () => (built ??= build());
}

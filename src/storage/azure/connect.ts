import type { TokenCredential } from "@azure/identity";
import type { Clock } from "../../liveness/model/clock.ts";
import { type Container, openContainer } from "./container.ts";
import { defaultRetryPolicy, type StorageRetryPolicy } from "./send-request.ts";
import { openTable, type Table } from "./table.ts";

/** Where tables and blobs are and as whom to ask; and, where they differ from the defaults, the limits of a request. */
export type StorageOptions = (
  | { connectionString: string }
  | { tableUri: string; blobUri: string; credential: TokenCredential }
) & {
  retryPolicy?: Partial<StorageRetryPolicy>;
  /** Time of what is written. Default: the system's. */
  now?: Clock;
};

/** The tables of the app, how long to wait for them, and the time. Nothing is sent before the first use. */
export interface StorageTables {
  sessions: Table;
  sessionIds: Table;
  expiry: Table;
  users: Table;
  retryPolicy: StorageRetryPolicy;
  now: Clock;
}

/** The tables and the container of the app. */
export interface StorageConnection extends StorageTables {
  referenceImages: Container;
}

/**
 * Builds every client once. The libraries are loaded when they are first needed: together they take longer to load than
 * all the rest of the app, and most requests never touch a blob.
 */
export function connectStorage(options: StorageOptions): StorageConnection {
  const retryPolicy = { ...defaultRetryPolicy, ...options.retryPolicy };
  const table = (name: string) =>
    openTable(
      name,
      once(async () => (await import("./connect-table.ts")).connectTable(options, name)),
      retryPolicy,
    );
  const container = (name: string) =>
    openContainer(
      once(async () => (await import("./connect-container.ts")).connectContainer(options, name)),
      retryPolicy,
    );
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
  return () => {
    built ??= build();
    return built;
  };
}

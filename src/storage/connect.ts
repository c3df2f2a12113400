import { TableClient } from "@azure/data-tables";
import type { TokenCredential } from "@azure/identity";
import type { ContainerClient } from "@azure/storage-blob";
import { type Container, openContainer } from "./container.ts";
import { defaultPatience, type Patience } from "./retry.ts";
import { openTable, type Table } from "./table.ts";

/** Where tables and blobs are and who asks for them; and, where they differ from the defaults, limits of a request. */
export type StorageOptions = (
  | { connectionString: string }
  | { tableUri: string; blobUri: string; credential: TokenCredential }
) &
  Partial<Patience>;

/** The tables and the container of the app. Nothing is sent before the first use. */
export interface StorageConnection {
  sessions: Table;
  sessionIds: Table;
  expiry: Table;
  referenceImages: Container;
  patience: Patience;
}

/** Builds every client once. */
export function connectStorage(options: StorageOptions): StorageConnection {
  const patience = { ...defaultPatience, ...options };
  const table = (name: string) => openTable(tableClient(options, name), patience);
  let container: Promise<ContainerClient> | undefined;
  return {
    sessions: table("sessions"),
    sessionIds: table("sessionids"),
    expiry: table("expiry"),
    referenceImages: openContainer(() => {
      container ??= containerClient(options, "reference-images");
      return container;
    }, patience),
    patience,
  };
}

function tableClient(options: StorageOptions, name: string): TableClient {
  const retryOptions = { maxRetries: 0 };
  if ("connectionString" in options) {
    // Whether the line is encrypted is the connection string's own choice: Azurite speaks plain HTTP.
    return TableClient.fromConnectionString(options.connectionString, name, {
      retryOptions,
      allowInsecureConnection: true,
    });
  }
  return new TableClient(options.tableUri, name, options.credential, { retryOptions });
}

/** The blob library is large, and most requests never touch a blob: it is loaded when one does. */
async function containerClient(options: StorageOptions, name: string): Promise<ContainerClient> {
  const { BlobServiceClient } = await import("@azure/storage-blob");
  const retryOptions = { maxTries: 1 };
  const service =
    "connectionString" in options
      ? BlobServiceClient.fromConnectionString(options.connectionString, { retryOptions })
      : new BlobServiceClient(options.blobUri, options.credential, { retryOptions });
  return service.getContainerClient(name);
}

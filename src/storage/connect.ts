import type { TableClient } from "@azure/data-tables";
import type { TokenCredential } from "@azure/identity";
import type { ContainerClient } from "@azure/storage-blob";
import { type Container, openContainer } from "./container.ts";
import { defaultPatience, type Patience } from "./retry.ts";
import { openTable, type Table } from "./table.ts";

/** Where tables and blobs are and as whom to ask; and, where they differ from the defaults, the limits of a request. */
export type StorageOptions = (
  | { connectionString: string }
  | { tableUri: string; blobUri: string; credential: TokenCredential }
) & { patience?: Partial<Patience> };

/** The tables and the container of the app. Nothing is sent before the first use. */
export interface StorageConnection {
  sessions: Table;
  sessionIds: Table;
  expiry: Table;
  referenceImages: Container;
  patience: Patience;
}

/**
 * Builds every client once. The libraries are loaded when they are first needed: together they take longer to load than
 * all the rest of the app, and most requests never touch a blob.
 */
export function connectStorage(options: StorageOptions): StorageConnection {
  const patience = { ...defaultPatience, ...options.patience };
  const table = (name: string) =>
    openTable(
      name,
      once(() => connectTable(options, name)),
      patience,
    );
  const container = (name: string) =>
    openContainer(
      once(() => connectContainer(options, name)),
      patience,
    );
  return {
    sessions: table("sessions"),
    sessionIds: table("sessionids"),
    expiry: table("expiry"),
    referenceImages: container("reference-images"),
    patience,
  };
}

function once<T>(build: () => Promise<T>): () => Promise<T> {
  let built: Promise<T> | undefined;
  return () => {
    built ??= build();
    return built;
  };
}

async function connectTable(options: StorageOptions, name: string): Promise<TableClient> {
  const { TableClient } = await import("@azure/data-tables");
  const retryOptions = { maxRetries: 0 };
  const client =
    "connectionString" in options
      ? // Whether the line is encrypted is the connection string's own choice: Azurite speaks plain HTTP.
        TableClient.fromConnectionString(options.connectionString, name, {
          retryOptions,
          allowInsecureConnection: true,
        })
      : new TableClient(options.tableUri, name, options.credential, { retryOptions });
  for (const policy of needlessPolicies) client.pipeline.removePolicy({ name: policy });
  client.pipeline.addPolicy(dropKeysFromAnswers);
  return client;
}

/**
 * What the library does around every request and no request of ours has a use for; a creation makes four. Answers are
 * small, redirects there are none, and repeats are `persist`'s.
 */
const needlessPolicies = [
  "decompressResponsePolicy",
  "defaultRetryPolicy",
  "formDataPolicy",
  "logPolicy",
  "multipartPolicy",
  "redirectPolicy",
  "tracingPolicy",
];

/**
 * The SDK finds its way through the answer of a transaction by plain text search, and takes a key that looks like a
 * boundary for one. These two headers are all that repeats keys.
 */
const dropKeysFromAnswers: Parameters<TableClient["pipeline"]["addPolicy"]>[0] = {
  name: "dropKeysFromAnswers",
  async sendRequest(request, next) {
    const response = await next(request);
    if (request.url.includes("/$batch") && response.bodyAsText) {
      response.bodyAsText = response.bodyAsText.replace(/^(Location|DataServiceId):.*\r?\n/gim, "");
    }
    return response;
  },
};

async function connectContainer(options: StorageOptions, name: string): Promise<ContainerClient> {
  const { BlobServiceClient } = await import("@azure/storage-blob");
  const retryOptions = { maxTries: 1 };
  const service =
    "connectionString" in options
      ? BlobServiceClient.fromConnectionString(options.connectionString, { retryOptions })
      : new BlobServiceClient(options.blobUri, options.credential, { retryOptions });
  return service.getContainerClient(name);
}

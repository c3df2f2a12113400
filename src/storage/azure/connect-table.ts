import { createDefaultHttpClient } from "@azure/core-rest-pipeline";
import { TableClient } from "@azure/data-tables";
import type { ConnectedTable, StorageOptions } from "./table.ts";
import { createTableWrites } from "./table-writes.ts";

/** One HTTP client for all tables, so that they share its open connections. */
const httpClient = createDefaultHttpClient();

/** A table's client without needless pipeline policies, and the writes on its pipeline. */
export function connectTable(options: StorageOptions, name: string): ConnectedTable {
  // A connection string may choose plain HTTP, as Azurite's does.
  const allowInsecureConnection = "connectionString" in options;
  const clientOptions = { allowInsecureConnection, httpClient };
  const client =
    "connectionString" in options
      ? TableClient.fromConnectionString(options.connectionString, name, clientOptions)
      : new TableClient(options.tableUri, name, options.credential, clientOptions);
  for (const policy of needlessPolicies) client.pipeline.removePolicy({ name: policy });
  return { client, writes: createTableWrites(client, { httpClient, allowInsecureConnection }) };
}

/**
 * Policies that cost time in each request and that this app does not need: responses are small, the service sends no
 * redirects, and `sendRequest` does the retries.
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

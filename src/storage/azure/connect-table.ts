import { createDefaultHttpClient } from "@azure/core-rest-pipeline";
import { TableClient } from "@azure/data-tables";
import type { StorageOptions } from "./connect.ts";
import type { ConnectedTable } from "./table.ts";
import { createTableWrites } from "./table-writes.ts";

/** For all tables, so that they share its kept connections. */
const httpClient = createDefaultHttpClient();

/** A table's client, without what none of our requests needs; and the writes on its pipeline. */
export function connectTable(options: StorageOptions, name: string): ConnectedTable {
  // Whether the line is encrypted is the connection string's own choice: Azurite speaks plain HTTP.
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
 * What the library does around every request and no request of ours has a use for; a creation makes four. Answers are
 * small, redirects there are none, and retries are `sendRequest`'s.
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

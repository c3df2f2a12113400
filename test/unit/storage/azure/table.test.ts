import assert from "node:assert/strict";
import { test } from "node:test";
import { createHttpHeaders, type HttpClient } from "@azure/core-rest-pipeline";
import { RestError, TableClient } from "@azure/data-tables";
import { defaultRetryPolicy } from "../../../../src/storage/azure/send-request.ts";
import { openTable } from "../../../../src/storage/azure/table.ts";
import { createTableWrites } from "../../../../src/storage/azure/table-writes.ts";

/** A table whose service returns these rows for each query. */
function tableWith(rows: readonly object[]) {
  const httpClient: HttpClient = {
    async sendRequest(request) {
      if (request.method !== "GET") throw new RestError("unexpected request");
      const headers = createHttpHeaders({ "content-type": "application/json;odata=minimalmetadata" });
      return { request, status: 200, headers, bodyAsText: JSON.stringify({ value: rows }) };
    },
  };
  const options = { httpClient, allowInsecureConnection: true };
  const client = new TableClient("http://tables.test/account", "sessions", options);
  return openTable(
    "sessions",
    async () => ({ client, writes: createTableWrites(client, options) }),
    defaultRetryPolicy,
  );
}

test("query selects a property that a row lacks -> absent, although Azure returns null (Azurite omits it)", async () => {
  const table = tableWith([
    { "odata.etag": 'W/"1"', PartitionKey: "p", RowKey: "r", kind: "liveness", owner: null, prunedOn: null },
  ]);
  const rows = [];
  const select = ["PartitionKey", "RowKey", "kind", "owner", "prunedOn"];
  for await (const row of table.query({ where: { PartitionKey: "p" }, select })) rows.push(row);
  assert.deepEqual(rows, [{ etag: 'W/"1"', partitionKey: "p", rowKey: "r", kind: "liveness" }]);
});

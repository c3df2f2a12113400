import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createHttpHeaders, type HttpClient, type PipelineRequest } from "@azure/core-rest-pipeline";
import { TableClient, type TableEntity, type TransactionAction } from "@azure/data-tables";
import fc from "fast-check";
import { defaultRetryPolicy } from "../../../../src/storage/azure/send-request.ts";
import { isTransient, readFailure } from "../../../../src/storage/azure/storage-errors.ts";
import { openTable } from "../../../../src/storage/azure/table.ts";
import { createTableWrites } from "../../../../src/storage/azure/table-writes.ts";
import { testProperty } from "../../property.ts";

const account =
  "DefaultEndpointsProtocol=http;AccountName=account;AccountKey=YWJj;TableEndpoint=http://tables.test/account;";
const { signal } = new AbortController();

/** A table whose HTTP client records each request and returns the given response. */
function arrange(answer: { status?: number; body?: string; etag?: string } = {}, connectionString = account) {
  const seen: PipelineRequest[] = [];
  const httpClient: HttpClient = {
    async sendRequest(request) {
      seen.push(request);
      const headers = createHttpHeaders({
        "content-type": answer.body?.startsWith("{") ? "application/json" : "multipart/mixed; boundary=batchresponse_1",
        ...(answer.etag !== undefined && { etag: answer.etag }),
      });
      return { request, headers, status: answer.status ?? 202, bodyAsText: answer.body ?? "" };
    },
  };
  const options = { httpClient, allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
  const client = TableClient.fromConnectionString(connectionString, "sessions", options);
  return { seen, client, writes: createTableWrites(client, options) };
}

interface Part {
  request: string;
  headers: Map<string, string>;
  body: unknown;
}

/** The parts of a transaction request, without the boundaries. */
function partsOf(request: PipelineRequest | undefined): Part[] {
  const boundary = /boundary=(changeset\S+)/.exec(String(request?.body))?.[1];
  const [, ...parts] = String(request?.body).split(`--${boundary}\r\n`);
  return parts.map((part) => {
    const [, head = "", ...rest] = part.split("\r\n\r\n");
    const [line = "", ...lines] = head.split("\r\n");
    const headers = lines.map((text) => text.split(": ")).map(([name = "", value = ""]) => [name, value] as const);
    const body = rest
      .join("")
      .split("\r\n")
      .find((text) => text.startsWith("{"));
    return { request: line, headers: new Map(headers), body: body && JSON.parse(body) };
  });
}

/** Asserts that two requests have the same URL, method and headers of these names. */
function assertSame([expected, request]: PipelineRequest[], ...names: string[]): void {
  assert.deepEqual([request?.url, request?.method], [expected?.url, expected?.method]);
  for (const name of names) assert.equal(request?.headers.get(name), expected?.headers.get(name), name);
}

/** A response of the service to a transaction with these parts; the last part may be an error. */
function batchAnswer(parts: readonly string[]): string {
  const head = "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n";
  const inner = parts.map((part) => `${head}${part}\r\n\r\n`).join("");
  const outer = "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n";
  return `${outer}${inner}--changesetresponse_1--\r\n--batchresponse_1--\r\n`;
}

const written = (etag: string, key = "r") =>
  `HTTP/1.1 204 No Content\r\nLocation: http://tables.test/sessions(RowKey='${key}')\r\nETag: ${etag}\r\n`;

const entity = {
  partitionKey: "it's é/ü 100% #?&+",
  rowKey: "r'1",
  ...{ text: "ü \r\n--changeset", count: 1, share: 1.5, many: 5e9, yes: true, long: 5n, nothing: undefined },
};

describe("createTableWrites", () => {
  test("transact -> the same request as the client library sends", async () => {
    const actions: TransactionAction[] = [
      ["create", entity],
      ["update", entity, "Replace", { etag: 'W/"1"' }],
      ["update", entity, "Merge", { etag: 'W/"1"' }],
      ["upsert", entity, "Replace"],
      ["upsert", entity, "Merge"],
      ["delete", entity],
    ];
    const { seen, client, writes } = arrange();
    await client.submitTransaction(actions);
    await writes.transact(actions, signal).catch(() => undefined);
    assertSame(seen, "accept", "x-ms-version");
    // The signature depends on the time in seconds.
    for (const name of ["accept", "x-ms-version", "authorization"]) assert.ok(seen[1]?.headers.has(name), name);
    const [expected, actual] = [partsOf(seen[0]), partsOf(seen[1])];
    assert.equal(actual.length, actions.length);
    for (const [index, part] of actual.entries()) {
      assert.equal(part.request, expected[index]?.request);
      assert.deepEqual(part.body, expected[index]?.body);
      for (const name of ["If-Match", "Prefer"]) {
        assert.equal(part.headers.get(name), expected[index]?.headers.get(name), `${name} of ${part.request}`);
      }
    }
  });

  test("put -> the same request as the client library sends, returns the ETag", async () => {
    const { seen, client, writes } = arrange({ status: 204, etag: 'W/"2"' });
    await client.upsertEntity(entity, "Replace");
    assert.equal(await writes.put(entity, signal), 'W/"2"');
    assertSame(seen, "content-type", "x-ms-version");
    assert.deepEqual(JSON.parse(String(seen[1]?.body)), JSON.parse(String(seen[0]?.body)));
  });

  test("line separators and control characters in values -> escaped in the body", async () => {
    const text = "a\u2028b\u2029c\u0085d\ufeffe\u00a0f\u200bg\u3000h\u007fi\r\n\v\f\u001cj ü 한 😀";
    const { seen, writes } = arrange({ status: 204, etag: "1" });
    const row = { ...entity, text, nested: JSON.stringify([text]) };
    await writes.put(row, signal);
    await writes.transact([["create", row]], signal).catch(() => undefined);
    for (const [index, { body }] of seen.entries()) {
      // The lines of a transaction itself end in CR LF.
      const lines = String(body).replaceAll("\r\n", "");
      assert.doesNotMatch(lines, /(?! )[\p{Z}\p{Cc}\p{Cf}]/u);
      const json = index === 0 ? String(body) : JSON.stringify(partsOf(seen[1])[0]?.body);
      assert.partialDeepStrictEqual(JSON.parse(json), { text, nested: JSON.stringify([text]) });
      assert.equal(seen[index]?.headers.get("content-length"), String(Buffer.byteLength(String(body))));
    }
  });

  test("shared access signature -> in the URL of the request, not in its parts", async () => {
    const sas = "TableEndpoint=http://tables.test/account;SharedAccessSignature=sv=2019-02-02&sig=abc";
    const { seen, writes } = arrange({ body: batchAnswer([written("1")]) }, sas);
    await writes.transact([["create", entity]], signal);
    assert.equal(seen[0]?.url, "http://tables.test/account/$batch?sv=2019-02-02&sig=abc");
    assert.doesNotMatch(String(seen[0]?.body), /sig=/);
  });

  const key = fc.string({ unit: "grapheme" }).map(encodeURIComponent);
  const like = fc.constantFrom("--changesetresponse_1", "HTTP/1.1 409", "ETag: x", "--batchresponse_1--");
  const answered = fc.array(fc.tuple(fc.oneof(key, like), fc.stringMatching(/^W\/"[\w:'%.-]{1,40}"$/)), {
    minLength: 1,
    maxLength: 5,
  });
  testProperty("response with arbitrary row keys -> one ETag for each action", [answered], async (rows) => {
    const body = batchAnswer(rows.map(([rowKey, etag]) => written(etag, rowKey)));
    const actions = rows.map(([rowKey]): TransactionAction => ["create", { partitionKey: "p", rowKey }]);
    const etags = await arrange({ body }).writes.transact(actions, signal);
    assert.equal(etags.length, rows.length);
    for (const [index, [, etag]] of rows.entries()) assert.equal(etags[index], etag);
  });

  test("action refused -> error with status and code", async () => {
    const refusal = (code: string) =>
      `{"odata.error":{"code":"${code}","message":{"lang":"en-US","value":"0:Refused.\\nRequestId:1"}}}`;
    const body = batchAnswer([
      `HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\n\r\n${refusal("EntityAlreadyExists")}`,
    ]);
    const transact = arrange({ body }).writes.transact([["create", entity]], signal);
    const put = arrange({ status: 404, body: refusal("TableNotFound") }).writes.put(entity, signal);
    const failures = [transact, put].map((work) => work.then(() => undefined, readFailure));
    assert.deepEqual(await Promise.all(failures), [
      { status: 409, code: "EntityAlreadyExists" },
      { status: 404, code: "TableNotFound" },
    ]);
  });

  test("malformed response -> transient error, because the result is unknown", async () => {
    const transact = (answer: Parameters<typeof arrange>[0]) =>
      arrange(answer).writes.transact([["create", entity]], signal);
    await assert.rejects(transact({ status: 502, body: "<html>" }), (error) => {
      assert.deepEqual(readFailure(error), { status: 502, code: undefined });
      return isTransient(error);
    });
    for (const body of ["", batchAnswer([written("1"), written("2")])]) {
      await assert.rejects(transact({ status: 202, body }), isTransient);
    }
  });

  test("value of an unsupported type -> TypeError before a request is sent", async () => {
    const { seen, writes } = arrange();
    const odd: TableEntity = { partitionKey: "p", rowKey: "r", when: new Date(0) };
    await assert.rejects(writes.put(odd, signal), TypeError);
    assert.deepEqual(seen, []);
  });
});

test("query selects a property that a row lacks -> absent, although Azure returns null (Azurite omits it)", async () => {
  const absent = { owner: null, prunedOn: null };
  const value = [{ "odata.etag": 'W/"1"', PartitionKey: "p", RowKey: "r", kind: "liveness", ...absent }];
  const { client, writes } = arrange({ status: 200, body: JSON.stringify({ value }) });
  const table = openTable("sessions", async () => ({ client, writes }), defaultRetryPolicy);
  const select = ["PartitionKey", "RowKey", "kind", "owner", "prunedOn"];
  const rows = [];
  for await (const row of table.query({ where: { PartitionKey: "p" }, select })) rows.push(row);
  assert.deepEqual(rows, [{ etag: 'W/"1"', partitionKey: "p", rowKey: "r", kind: "liveness" }]);
});

import {
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  type HttpMethods,
  type PipelineResponse,
} from "@azure/core-rest-pipeline";
import { RestError, type TableClient, type TableEntity, type TransactionAction } from "@azure/data-tables";
import { TransportError } from "./storage-errors.ts";

/**
 * Writes that use the pipeline of the SDK's client, with its credentials and headers, but not the client itself: for each
 * transaction, the client builds a new client and pipeline, and parses the response by a text search that can mistake a key
 * for a boundary. Format of transactions:
 * https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
 */
export interface TableWrites {
  /** Inserts the row or replaces all of it. Returns the new ETag, `*` if there is none. Throws `RestError`. */
  put(entity: TableEntity, abortSignal: AbortSignal): Promise<string>;
  /** One transaction. Returns the ETags in the order of the actions, `*` for a missing one. Throws `RestError`. */
  transact(actions: readonly TransactionAction[], abortSignal: AbortSignal): Promise<string[]>;
}

interface WriteRequest {
  method: HttpMethods;
  url: string;
  headers: Record<string, string>;
  body?: string;
}

const version = { "x-ms-version": "2019-02-02", DataServiceVersion: "3.0" };
const json = { "Content-Type": "application/json", Accept: "application/json", DataServiceVersion: "3.0" };
const eol = "\r\n";
// No line of a body begins like these: the JSON and the URLs contain no line breaks.
const batchBoundary = "batch_writes";
const changesetBoundary = "changeset_writes";

export function createTableWrites(
  client: TableClient,
  { httpClient, allowInsecureConnection }: { httpClient: HttpClient; allowInsecureConnection: boolean },
): TableWrites {
  // The query of the client's URL contains the shared access signature, if the connection string has one.
  const { origin, pathname, search } = new URL(client.url);
  const account = `${origin}${pathname.replace(/\/$/, "")}`;
  const table = `${account}/${client.tableName}`;

  return {
    async put(entity, abortSignal) {
      const { method, url, headers, body } = describe(["upsert", entity, "Replace"]);
      const response = await send({ method, url, headers: { ...headers, ...version }, body: body ?? "" }, abortSignal);
      return response.headers.get("etag") ?? "*";
    },

    async transact(actions, abortSignal) {
      const headers = {
        ...version,
        Accept: "application/json",
        "Content-Type": `multipart/mixed; boundary=${batchBoundary}`,
      };
      const body = writeBatch(actions.map(describe));
      const response = await send({ method: "POST", url: `${account}/$batch`, headers, body }, abortSignal);
      const responses = readBatch(response.bodyAsText ?? "");
      const refused = responses.find(({ status }) => status >= 300);
      if (refused !== undefined) throw failure(response, refused.status, refused.body);
      // The outcome is unknown; a retry detects it.
      if (responses.length !== actions.length) throw new TransportError("The response to a transaction is incomplete.");
      return responses.map(({ etag }) => etag);
    },
  };

  async function send(request: Required<WriteRequest>, abortSignal: AbortSignal): Promise<PipelineResponse> {
    const { method, url, headers, body } = request;
    // Set here, because the transport would encode the whole body again to compute it.
    headers["Content-Length"] = String(Buffer.byteLength(body));
    const options = { method, url: `${url}${search}`, headers: createHttpHeaders(headers), body, abortSignal };
    const pipelineRequest = createPipelineRequest({ ...options, allowInsecureConnection });
    const response = await client.pipeline.sendRequest(httpClient, pipelineRequest);
    if (response.status >= 300) throw failure(response, response.status, response.bodyAsText);
    return response;
  }

  function describe([kind, entity, mode = "Merge", options]: TransactionAction): WriteRequest {
    if (kind === "create") {
      return {
        method: "POST",
        url: table,
        headers: { ...json, Prefer: "return-no-content" },
        body: writeEntity(entity),
      };
    }
    const url = `${table}(PartitionKey='${inUrl(entity.partitionKey)}',RowKey='${inUrl(entity.rowKey)}')`;
    if (kind === "delete") return { method: "DELETE", url, headers: { ...json, "If-Match": "*" } };
    const condition = kind === "update" ? { "If-Match": options?.etag ?? "*" } : {};
    const method = mode === "Replace" ? "PUT" : "PATCH";
    return { method, url, headers: { ...json, ...condition }, body: writeEntity(entity) };
  }
}

function inUrl(key: string | undefined): string {
  return encodeURIComponent((key ?? "").replaceAll("'", "''"));
}

/** Keys are written under the service's own names; `etag` and `timestamp` are set by the service. */
const notProperties = new Set(["partitionKey", "rowKey", "etag", "timestamp"]);

/** The JSON of a row. Strings, booleans and numbers are plain JSON; a bigint becomes an Int64. */
function writeEntity(entity: TableEntity): string {
  const properties: Record<string, unknown> = { PartitionKey: entity.partitionKey, RowKey: entity.rowKey };
  for (const name in entity) {
    if (notProperties.has(name)) continue;
    const value: unknown = entity[name];
    const type = typeof value;
    if (type === "bigint") {
      properties[name] = String(value);
      properties[`${name}@odata.type`] = "Edm.Int64";
    } else if (type === "object" || type === "function" || type === "symbol") {
      throw new TypeError(`The property ${name} has a value that no column can hold`);
    } else {
      properties[name] = value;
    }
  }
  return JSON.stringify(properties).replace(separators, escapeUnit);
}

/**
 * Line and paragraph separators, controls, spaces other than U+0020, and invisible marks: escaped, because a parser
 * of a multipart body may end a line at them, as Azurite does at U+2028 and U+2029.
 */
const separators = /[\u007f-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]/g;

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function writeBatch(requests: readonly WriteRequest[]): string {
  const lines = [`--${batchBoundary}`, `Content-Type: multipart/mixed; boundary=${changesetBoundary}`, ""];
  for (const { method, url, headers, body } of requests) {
    lines.push(`--${changesetBoundary}`, "Content-Type: application/http", "Content-Transfer-Encoding: binary", "");
    lines.push(`${method} ${url} HTTP/1.1`);
    for (const name in headers) lines.push(`${name}: ${headers[name]}`);
    lines.push("", body ?? "");
  }
  lines.push(`--${changesetBoundary}--`, `--${batchBoundary}--`, "");
  return lines.join(eol);
}

interface ActionResponse {
  status: number;
  etag: string;
  /** JSON of an error. */
  body?: string;
}

/** One response per action, or a single one if an action failed. */
function readBatch(text: string): ActionResponse[] {
  const responses: ActionResponse[] = [];
  let response: ActionResponse | undefined;
  for (const line of text.split(/\r?\n/)) {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(line)?.[1];
    if (status !== undefined) {
      response = { status: Number(status), etag: "*" };
      responses.push(response);
    } else if (response !== undefined && line.startsWith("{")) {
      response.body = line;
    } else if (response !== undefined && /^etag:/i.test(line)) {
      response.etag = line.slice("etag:".length).trim();
    }
  }
  return responses;
}

/** An error of the SDK's shape, whose `code` is the service's, such as `EntityAlreadyExists`. */
function failure(response: PipelineResponse, statusCode: number, body: string | null | undefined): RestError {
  let code: unknown;
  try {
    code = JSON.parse(body ?? "")["odata.error"].code;
  } catch {
    // Not a response of the service, but for example a proxy's page: only the status is used.
  }
  return new RestError("The write was refused", { statusCode, response, ...(typeof code === "string" && { code }) });
}

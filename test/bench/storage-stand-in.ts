import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen } from "../local/ports.ts";

/** Tables, and an intake of telemetry, that take everything and keep nothing, so that they cost next to nothing. */
export interface StorageStandIn {
  /** With an account's key, by which every request must be signed: what `npm start` and Azurite have. */
  keyed: string;
  /** With a shared access signature, which goes along as it is: like the token of an identity, which a deployment has. */
  keyless: string;
  /** Of Application Insights. */
  telemetry: string;
  close(): Promise<void>;
}

export async function startStorageStandIn(): Promise<StorageStandIn> {
  const server = createServer((request, response) => void answer(request, response));
  const intake = `http://127.0.0.1:${await listen(server)}/`;
  const url = `${intake}bench`;
  const endpoints = `TableEndpoint=${url};BlobEndpoint=${url};`;
  const key = Buffer.from("a key that nobody checks").toString("base64");
  return {
    keyed: `DefaultEndpointsProtocol=http;AccountName=bench;AccountKey=${key};${endpoints}`,
    keyless: `${endpoints}SharedAccessSignature=sv=2019-02-02&sig=one-that-nobody-checks`,
    telemetry: `InstrumentationKey=00000000-1111-2222-3333-444444444444;IngestionEndpoint=${intake}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  if (request.url?.includes("/$batch")) {
    const writes = body.split("Content-Transfer-Encoding").length + body.split("content-transfer-encoding").length - 2;
    response.writeHead(202, { "content-type": "multipart/mixed; boundary=batchresponse_1" }).end(batchAnswer(writes));
  } else if (request.url?.endsWith("/track")) {
    response.writeHead(200, { "content-type": "application/json" }).end(`{"itemsReceived":1,"itemsAccepted":1}`);
  } else if (request.method === "PUT") {
    response.writeHead(204, { etag }).end();
  } else {
    response.writeHead(501).end();
  }
}

const etag = `W/"datetime'2026-01-01T00%3A00%3A00.0000000Z'"`;

function batchAnswer(writes: number): string {
  const part = [
    "--changesetresponse_1",
    "Content-Type: application/http",
    "Content-Transfer-Encoding: binary",
    "",
    "HTTP/1.1 204 No Content",
    "X-Content-Type-Options: nosniff",
    "Cache-Control: no-cache",
    "DataServiceVersion: 3.0;",
    `ETag: ${etag}`,
    "",
    "",
    "",
  ].join("\r\n");
  const head = "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n";
  return `${head}${part.repeat(writes)}--changesetresponse_1--\r\n--batchresponse_1--\r\n`;
}

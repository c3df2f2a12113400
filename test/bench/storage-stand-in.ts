import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen } from "../local/ports.ts";

/** Tables and an ingestion endpoint of telemetry that accept everything and store nothing, so that they cost little CPU. */
export interface StorageStandIn {
  /** With an account key, which signs every request, as with `npm start` and Azurite. */
  keyed: string;
  /** With a shared access signature, which is sent unchanged, like the token of an identity in a deployment. */
  keyless: string;
  /** Connection string of Application Insights. */
  telemetry: string;
  close(): Promise<void>;
}

export async function startStorageStandIn(): Promise<StorageStandIn> {
  const server = createServer((request, response) => void answer(request, response));
  const intake = `http://127.0.0.1:${await listen(server)}/`;
  const url = `${intake}bench`;
  const endpoints = `TableEndpoint=${url};BlobEndpoint=${url};`;
  const key = Buffer.from("an unchecked key").toString("base64");
  return {
    keyed: `DefaultEndpointsProtocol=http;AccountName=bench;AccountKey=${key};${endpoints}`,
    keyless: `${endpoints}SharedAccessSignature=sv=2019-02-02&sig=unchecked`,
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

import { connect } from "node:net";

/** A request as it is sent, without `Host`, framing headers and key. */
export interface RawRequest {
  method: "GET" | "POST" | "DELETE";
  path: string;
  headers: readonly (readonly [name: string, value: string])[];
  /** The pieces of the body. With `chunked`, each is one chunk. */
  body?: readonly Buffer[];
  chunked?: boolean;
}

export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** Sends the bytes of a request over a socket of its own, and reads the answer to the end. */
export async function sendRaw(baseUrl: string, request: RawRequest): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(baseUrl);
  const socket = connect(Number(port), hostname);
  socket.write(headOf(request, host));
  for (const piece of request.body ?? []) {
    socket.write(request.chunked ? frame(piece) : piece);
  }
  if (request.chunked) socket.write("0\r\n\r\n");
  const received: Buffer[] = [];
  for await (const bytes of socket) received.push(bytes);
  return parse(Buffer.concat(received));
}

function headOf({ method, path, headers, body, chunked }: RawRequest, host: string): string {
  const length = (body ?? []).reduce((sum, piece) => sum + piece.length, 0);
  const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    "Connection: close",
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [framing]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function frame(piece: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]);
}

function parse(bytes: Buffer): RawAnswer {
  const end = bytes.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
  const content = bytes.subarray(end + 4);
  const isChunked = headers.get("transfer-encoding") === "chunked";
  return {
    status: Number(statusLine.split(" ")[1]),
    headers,
    text: (isChunked ? unframe(content) : content).toString(),
  };
}

function unframe(content: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let start = 0; ; ) {
    const lineEnd = content.indexOf("\r\n", start);
    const length = Number.parseInt(content.subarray(start, lineEnd).toString("latin1"), 16);
    if (!(length > 0)) return Buffer.concat(pieces);
    pieces.push(content.subarray(lineEnd + 2, lineEnd + 2 + length));
    start = lineEnd + 2 + length + 2;
  }
}

import { TransportError } from "../azure/storage-errors.ts";

/** Reads a blob's body. Throws `TransportError` if the connection breaks off. */
export async function readBody(body: NodeJS.ReadableStream | undefined): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body ?? []) chunks.push(Buffer.from(chunk));
  } catch (cause) {
    throw new TransportError("The connection broke off while the blob was read", { cause });
  }
  return Buffer.concat(chunks);
}

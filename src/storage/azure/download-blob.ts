import type { BlobDownloadResponseParsed, ContainerClient } from "@azure/storage-blob";
import { readFailure, TransportError } from "./storage-errors.ts";

/** A blob with its body. Undefined if it does not exist. Throws `TransportError` if the connection breaks off. */
export async function downloadBlob(
  container: ContainerClient,
  name: string,
  abortSignal: AbortSignal,
): Promise<{ blob: BlobDownloadResponseParsed; bytes: Buffer } | undefined> {
  try {
    const blob = await container.getBlobClient(name).download(0, undefined, { abortSignal, maxRetryRequests: 0 });
    return { blob, bytes: await readBody(blob.readableStreamBody) };
  } catch (error) {
    if (readFailure(error)?.code === "BlobNotFound") return undefined;
    throw error;
  }
}

async function readBody(body: NodeJS.ReadableStream | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body ?? []) chunks.push(Buffer.from(chunk));
  } catch (cause) {
    throw new TransportError("The connection broke off while the blob was read", { cause });
  }
  return Buffer.concat(chunks);
}

import { BlobServiceClient, type ContainerClient } from "@azure/storage-blob";
import type { StorageOptions } from "./table.ts";

/** A container's client. Requests are retried by `sendRequest` alone. */
export function connectContainer(options: StorageOptions, name: string): ContainerClient {
  const retryOptions = { maxTries: 1 };
  const service =
    "connectionString" in options
      ? BlobServiceClient.fromConnectionString(options.connectionString, { retryOptions })
      : new BlobServiceClient(options.blobUri, options.credential, { retryOptions });
  return service.getContainerClient(name);
}

import type { ContainerClient } from "@azure/storage-blob";
import { type StorageRetryPolicy, sendRequest } from "./send-request.ts";
import { readFailure } from "./storage-errors.ts";

/** A container of blobs, created when a request finds it missing. */
export interface Container {
  /** Runs one request with a time limit and bounded retries; see `sendRequest`. */
  call<T>(operation: (client: ContainerClient, abortSignal: AbortSignal, repeated: boolean) => Promise<T>): Promise<T>;
}

export function openContainer(connect: () => Promise<ContainerClient>, retryPolicy: StorageRetryPolicy): Container {
  return {
    async call(operation) {
      const client = await connect();
      const request = () =>
        sendRequest(retryPolicy, (abortSignal, repeated) => operation(client, abortSignal, repeated));
      try {
        return await request();
      } catch (error) {
        if (readFailure(error)?.code !== "ContainerNotFound") throw error;
      }
      await sendRequest(retryPolicy, (abortSignal) => client.createIfNotExists({ abortSignal }));
      return request();
    },
  };
}

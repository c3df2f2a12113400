import type { ContainerClient } from "@azure/storage-blob";
import { type Patience, persist } from "./retry.ts";
import { readFailure } from "./storage-errors.ts";

/** A container of blobs, made when it is found missing. */
export interface Container {
  /** Runs one request with a time limit and bounded retries; see `persist`. */
  call<T>(operation: (client: ContainerClient, abortSignal: AbortSignal, repeated: boolean) => Promise<T>): Promise<T>;
}

export function openContainer(connect: () => Promise<ContainerClient>, patience: Patience): Container {
  return {
    async call(operation) {
      const client = await connect();
      const request = () => persist(patience, (abortSignal, repeated) => operation(client, abortSignal, repeated));
      try {
        return await request();
      } catch (error) {
        if (readFailure(error)?.code !== "ContainerNotFound") throw error;
      }
      await persist(patience, (abortSignal) => client.createIfNotExists({ abortSignal }));
      return request();
    },
  };
}

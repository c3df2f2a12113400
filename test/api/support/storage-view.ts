import { TableClient, type TableEntityResult } from "@azure/data-tables";
import { BlobServiceClient } from "@azure/storage-blob";

export type Row = TableEntityResult<Record<string, unknown>>;

/** Reads the tables and blobs with the Azure SDKs. */
export function viewStorage(connectionString: string) {
  async function rows(table: string): Promise<Row[]> {
    const client = TableClient.fromConnectionString(connectionString, table, { allowInsecureConnection: true });
    const all: Row[] = [];
    try {
      for await (const row of client.listEntities()) all.push(row);
    } catch (error) {
      // The first use of a table creates it.
      if ((error as { statusCode?: number }).statusCode !== 404) throw error;
    }
    return all;
  }
  const images = BlobServiceClient.fromConnectionString(connectionString).getContainerClient("reference-images");
  return {
    rows,
    images,
    async imageNames(): Promise<string[]> {
      const names: string[] = [];
      if (await images.exists()) for await (const blob of images.listBlobsFlat()) names.push(blob.name);
      return names;
    },
    /** All rows, and names and metadata of all images, as one text to search. */
    async everything(): Promise<string> {
      const tables = await Promise.all(["sessions", "sessionids", "expiry", "users", "outcomes"].map(rows));
      const blobs: unknown[] = [];
      if (await images.exists())
        for await (const blob of images.listBlobsFlat({ includeMetadata: true })) blobs.push(blob);
      return JSON.stringify([tables, blobs], (_, value) => (typeof value === "bigint" ? String(value) : value));
    },
  };
}

import * as z from "zod";
import type { EndpointStates } from "../../events/endpoint-states.ts";
import { readAll } from "../azure/query.ts";
import type { StorageTables } from "../azure/table.ts";
import { readRow, writeRow } from "../rows/row.ts";

/** Partition in the table `outcomes`, beside the partitions of the days. Each endpoint has one row. */
const partition = "endpoints";

const schema = z.object({ fingerprint: z.string(), disabledOn: z.string() });

export function createEndpointStates({ outcomes }: Pick<StorageTables, "outcomes">): EndpointStates {
  return {
    disabled: () =>
      readAll(outcomes.query({ where: { PartitionKey: partition } }), (entity) => ({
        name: entity.rowKey,
        ...readRow(schema, entity),
      })),
    async disable({ name, ...state }) {
      await outcomes.put(writeRow(partition, name, state));
    },
  };
}

import type { TableEntity, TransactionAction } from "@azure/data-tables";
import * as z from "zod";
import { serverBusy } from "../../api-errors.ts";
import type { OutcomeEntry } from "../../liveness/model/events.ts";
import type { OutcomeIndex } from "../../liveness/model/outcome-index.ts";
import { createSemaphore } from "../../semaphore.ts";
import { keysOnly, maxPageSize } from "../azure/query.ts";
import type { StorageTables } from "../azure/table.ts";
import { inTransactions, removeKeys } from "../azure/transactions.ts";
import { outcomeKeys, partitionsBefore, writeOutcome } from "../rows/index-rows.ts";
import type { RowKeys } from "../rows/keys.ts";
import { readRow, wholeNumber, writeRow } from "../rows/row.ts";

/** Concurrent requests of one call. */
const maxConcurrent = 8;
/** A failed attempt means that another process has written one of the rows, which happens a few times at most. */
const maxAttempts = 20;

/** Partition and row of the time up to which the index is complete. */
const completeKey = "complete";
const completeSchema = z.object({ completeTo: z.string() });
const revisionSchema = z.object({ revision: wholeNumber });

/** The outcomes of all devices in the table `outcomes`. */
export function createOutcomeIndex({ outcomes, now }: Pick<StorageTables, "outcomes" | "now">): OutcomeIndex {
  return {
    put,
    async remove(entries) {
      await removeKeys(outcomes, entries.map(outcomeKeys));
    },
    async page(query, page) {
      const { readPage } = await import("./outcome-lists.ts");
      return readPage(outcomes, query, page);
    },
    async *scan(query) {
      const { scanAll } = await import("./outcome-lists.ts");
      yield* scanAll(outcomes, query);
    },
    async completeTo() {
      const entity = await outcomes.get(completeKey, completeKey);
      return entity && readRow(completeSchema, entity).completeTo;
    },
    async setCompleteTo(time) {
      await outcomes.put(writeRow(completeKey, completeKey, { completeTo: time }));
    },
    async removeBefore(time, deadline) {
      let removed = 0;
      for (const range of partitionsBefore(time)) removed += await removeRange(range, deadline);
      return removed;
    },
  };

  async function put(entries: readonly OutcomeEntry[]): Promise<void> {
    const newest = new Map<string, OutcomeEntry>();
    for (const entry of entries) {
      const known = newest.get(entry.creationId);
      if (known === undefined || known.revision < entry.revision) newest.set(entry.creationId, entry);
    }
    const { run } = createSemaphore(maxConcurrent);
    const partitions = Map.groupBy(newest.values(), (entry) => outcomeKeys(entry).partition);
    await Promise.all(
      partitions.values().flatMap((inPartition) => {
        const [first, later] = split(inPartition, ({ revision }) => revision === 1);
        return [
          ...inTransactions(first.map(insertion)).map((actions) => write(actions, actions, run)),
          ...inTransactions(later.map(insertion)).map((actions) => write(actions, undefined, run)),
        ];
      }),
    );
  }

  /** @param attempt the actions of the first attempt. Default: those that the stored rows require. */
  async function write(
    insertions: readonly Insertion[],
    attempt: TransactionAction[] | undefined,
    run: <T>(request: () => Promise<T>) => Promise<T>,
  ): Promise<void> {
    let actions = attempt ?? (await plan());
    for (let attempts = 0; attempts < maxAttempts; attempts += 1) {
      const attempted = actions;
      if (attempted.length === 0 || (await run(() => outcomes.transact(attempted))).conflict === undefined) return;
      actions = await plan();
    }
    throw serverBusy("The outcomes are being written by too many processes. Try again.");

    /** Inserts missing rows and replaces older ones. */
    async function plan(): Promise<TransactionAction[]> {
      const planned = insertions.map(async ([kind, row]): Promise<TransactionAction[]> => {
        const { partitionKey, rowKey, revision } = row;
        const known = await run(() => outcomes.get(partitionKey, rowKey));
        if (known === undefined) return [[kind, row]];
        if (readRow(revisionSchema, known).revision >= revision) return [];
        return [["update", row, "Replace", { etag: known.etag }]];
      });
      return (await Promise.all(planned)).flat();
    }
  }

  async function removeRange(partitions: { from: string; before: string }, deadline: number): Promise<number> {
    let removed = 0;
    let batch: RowKeys[] = [];
    for await (const entity of outcomes.query({ where: { PartitionKey: partitions }, select: keysOnly })) {
      if (now() >= deadline) return removed;
      batch.push({ partition: entity.partitionKey, row: entity.rowKey });
      if (batch.length < maxPageSize) continue;
      removed += await removeKeys(outcomes, batch);
      batch = [];
    }
    return removed + (now() < deadline ? await removeKeys(outcomes, batch) : 0);
  }
}

type Insertion = ["create", TableEntity & { partitionKey: string; rowKey: string; revision: number }];

function insertion(entry: OutcomeEntry): Insertion {
  return ["create", { ...writeOutcome(entry), revision: entry.revision } as Insertion[1]];
}

function split<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

import * as z from "zod";
import { compact } from "../../compact.ts";
import type { Page } from "../../liveness/model/page.ts";
import type { FoundItem, Removal, StoredItems, WalkedCollection } from "../../liveness/model/stored-items.ts";
import { createSemaphore } from "../../semaphore.ts";
import { keysOnly, maxPageSize, type Query, readFirst } from "../azure/query.ts";
import type { Entity, StorageTables, Table } from "../azure/table.ts";
import { removeRows } from "../azure/transactions.ts";
import { eventOfRow } from "../rows/event-keys.ts";
import {
  creationOfEntry,
  deviceOfPartition,
  imageOfRow,
  isGuardRow,
  isImageLinkKey,
  isKeyRow,
  isSessionRow,
  readItemRef,
  sessionCreatedOn,
  sessionRowOfAudit,
  writeItemRef,
  writePlace,
} from "../rows/keys.ts";
import { readRow } from "../rows/row.ts";
import { movingOf, readGuard } from "../rows/rows.ts";

/** Concurrent requests. */
const maxRequests = 8;

export function createStoredItems({ sessions, sessionIds, users }: StorageTables): StoredItems {
  const tables: Record<WalkedCollection, Table> = { sessions, sessionids: sessionIds, users };
  return { page, remove };

  async function page(collection: WalkedCollection, continuationToken?: string): Promise<Page<FoundItem>> {
    const rows = await readFirst(tables[collection].query({ ...afterRow(continuationToken), select }), maxPageSize);
    const items = rows.flatMap((entity): FoundItem | [] => {
      const { partitionKey: partition, rowKey: row, etag } = entity;
      const facts = readers[collection](entity);
      return facts === undefined ? [] : { ...facts, collection, key: row, ref: writeItemRef({ partition, row, etag }) };
    });
    return compact({ items, continuationToken: rowToken(rows) });
  }

  async function remove(items: readonly FoundItem[]): Promise<Removal> {
    const result: Removal = { removed: 0, failures: [] };
    const semaphore = createSemaphore(maxRequests);
    const attempt = async (concerned: readonly FoundItem[], work: () => Promise<number>) => {
      try {
        // `result.removed += await …` would lose the additions of concurrent requests.
        const removed = await semaphore.run(work);
        result.removed += removed;
      } catch (cause) {
        for (const item of concerned) result.failures.push({ item, cause });
      }
    };
    // Audit entries never change: those of a partition are removed in one transaction, without their ETags.
    const entries = Map.groupBy(
      items.filter(({ kind }) => kind === "auditEntry"),
      ({ ref }) => readItemRef(ref).partition,
    );
    const others = items.filter(({ kind }) => kind !== "auditEntry");
    await Promise.all([
      ...entries.entries().map(([partition, group]) =>
        attempt(group, async () => {
          const keys = group.map(({ key }) => key);
          return keys.length - (await removeRows(sessions, partition, keys)).length;
        }),
      ),
      ...others.map((item) =>
        attempt([item], async () => {
          const { partition, row, etag } = readItemRef(item.ref);
          const removed = await tables[item.collection].remove(partition, row, etag);
          return Number(removed === "removed");
        }),
      ),
    ]);
    return result;
  }
}

/** Continuation token of a scan of a whole table, after a page of rows; undefined after the last page. Not for callers. */
export function rowToken(page: readonly Entity[]): string | undefined {
  const last = page.length === maxPageSize ? page.at(-1) : undefined;
  return last && JSON.stringify([last.partitionKey, last.rowKey]);
}

/** Conditions of a page: all rows after the last row of the page before. */
export function afterRow(token: string | undefined): Pick<Query, "where" | "anyOf"> {
  if (token === undefined) return { where: {} };
  const [partition, row] = placeShape.parse(JSON.parse(token));
  return {
    where: { PartitionKey: { from: partition } },
    anyOf: [{ PartitionKey: { after: partition } }, { RowKey: { after: row } }],
  };
}

const placeShape = z.tuple([z.string(), z.string()]);
const text = z.string();
const keyFacts = z.object({ leaseUntil: text, sessionId: text.optional() });
const sessionFacts = z.object({
  creationId: text,
  tokenExpiresOn: text,
  idempotencyRowKey: text,
  final: z.boolean(),
  deviceCorrelationId: text.optional(),
  movedFrom: text.optional(),
});
const noteFacts = z.object({ boundOn: text.exactOptional() });
const pointerFacts = z.object({ createdOn: text.exactOptional() });

/** Properties that the scan reads, of all kinds of rows. */
const select = [
  ...keysOnly,
  ...["recent", "rejectionsInARow", "lockedUntil", "changedOn"],
  ...[keyFacts, sessionFacts, noteFacts, pointerFacts].flatMap((facts) => Object.keys(facts.shape)),
];

type Facts = FoundItem extends infer Item
  ? Item extends FoundItem
    ? Omit<Item, "collection" | "key" | "ref">
    : never
  : never;

/** Undefined for a row of an unknown kind. */
function readFacts(entity: Entity): Facts | undefined {
  const { partitionKey: partition, rowKey: row } = entity;
  try {
    if (isSessionRow(row)) {
      const { final: isFinal, creationId, tokenExpiresOn, idempotencyRowKey, ...where } = readRow(sessionFacts, entity);
      const isMoving = movingOf(partition, where).isMoving === true;
      const place = writePlace({ partition, idempotencyRowKey });
      const placed = { place, creationId, createdOn: sessionCreatedOn(row) };
      return { kind: "session", placed, tokenExpiresOn, isFinal, isMoving };
    }
    if (isKeyRow(row)) {
      const { leaseUntil, sessionId } = readRow(keyFacts, entity);
      return { kind: "key", leaseUntil, isCommitted: sessionId !== undefined };
    }
    if (isGuardRow(row)) {
      return { kind: "guard", ...readGuard(entity) };
    }
    const event = eventOfRow(row);
    if (event !== undefined) return { kind: "event", occurredOn: event.occurredOn };
    const audited = sessionRowOfAudit(row);
    if (audited !== undefined) return { kind: "auditEntry", sessionCreatedOn: sessionCreatedOn(audited) };
    const image = imageOfRow(row);
    if (image === undefined) return undefined;
    const deviceCorrelationId = deviceOfPartition(partition) ?? "";
    return { kind: "imageNote", image, deviceCorrelationId, ...readRow(noteFacts, entity) };
  } catch (cause) {
    return { kind: "unreadable", cause };
  }
}

const readers: Record<WalkedCollection, (entity: Entity) => Facts | undefined> = {
  sessions: readFacts,
  sessionids: readPointerFacts,
  users: readUserEntryFacts,
};

function readUserEntryFacts({ rowKey }: Entity): Facts {
  try {
    return { kind: "userEntry", createdOn: creationOfEntry(rowKey).createdOn };
  } catch (cause) {
    return { kind: "unreadable", cause };
  }
}

function readPointerFacts(entity: Entity): Facts | undefined {
  const kind = isImageLinkKey(entity.partitionKey) ? "imageLink" : "pointer";
  try {
    return { kind, ...readRow(pointerFacts, entity) };
  } catch (cause) {
    return { kind: "unreadable", cause };
  }
}

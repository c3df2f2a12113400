import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TableEntity } from "@azure/data-tables";
import fc from "fast-check";
import { apiVersions, sessionKinds } from "../../../../src/face/model.ts";
import type { Entity } from "../../../../src/storage/azure/table.ts";
import { expiryPartition, locationOf, sessionRow, writePlace } from "../../../../src/storage/rows/keys.ts";
import {
  prunedPointer,
  readAuditEntry,
  readDue,
  readGuard,
  readKey,
  readListed,
  readPointer,
  readSession,
  readSessionRow,
  type SessionRow,
  writeAuditEntry,
  writeDue,
  writeGuard,
  writeKey,
  writePointer,
  writeSession,
  writeSessionRow,
} from "../../../../src/storage/rows/rows.ts";
import { newRecord } from "../../fakes/seed.ts";
import { anyRecord, testProperty, testPropertyTimes } from "../../property.ts";

/** The row as the service returns it, with its additional properties. */
function stored(entity: TableEntity): Entity {
  return { ...entity, etag: 'W/"1"', timestamp: "2026-01-01T00:00:00Z", "odata.metadata": "…" };
}

const text = fc.string({ unit: "binary", maxLength: 70 });
const time = fc.integer({ min: 0, max: Date.UTC(2200) }).map((ms) => new Date(ms).toISOString());
const records: fc.Arbitrary<SessionRow> = anyRecord(
  {
    ...{ creationId: fc.uuid(), sessionId: fc.uuid(), kind: fc.constantFrom(...sessionKinds) },
    ...{ apiVersion: fc.constantFrom(...apiVersions), upstreamVersion: fc.constantFrom(...apiVersions) },
    ...{ createdOn: time, tokenExpiresOn: time, expiresOn: time },
    ttlSeconds: fc.integer({ min: 60, max: 86_400 }),
    ...{ status: text, attempts: fc.nat(), final: fc.boolean(), reasons: fc.array(text) },
    ...{ countedFor: text, idempotencyRowKey: text, expiryPartition: text },
  },
  {
    ...{ deviceCorrelationId: text, clientReferenceId: text, startedOn: time, settledOn: time },
    decision: fc.constantFrom("accepted", "rejected", "inconclusive"),
    ...{ referenceImageId: text, referenceImageHash: text, clientDigest: text, clientError: text, modelVersion: text },
    threshold: fc.double({ min: 0, max: 1, noNaN: true }),
    ...{ clientName: text, owner: text },
  },
);

const recordIds = { creationId: "c1", sessionId: "s1" };
const record: SessionRow = {
  ...newRecord(Date.parse("2026-01-02T03:04:05.678Z"), { ...recordIds, kind: "livenessWithVerify" }),
  ...{ idempotencyRowKey: "k_c1", expiryPartition: "0_202601020315" },
};

describe("session row", () => {
  testProperty("written and read -> the same record", [records], (written) => {
    const entity = stored(writeSessionRow("p", "r", written));
    assert.deepEqual(readSessionRow(entity), written);
    const read = readSession(entity);
    const { partition, row, etag } = locationOf(read);
    assert.deepEqual([partition, row, etag], ["p", "r", 'W/"1"']);
    assert.deepEqual(writeSession(read.record, locationOf(read)), writeSessionRow("p", "r", written));
  });

  test("scalars -> stored as they are; arrays -> JSON; absent values -> omitted", () => {
    const entity = writeSessionRow("p", "r", { ...record, reasons: ["ClientDigestMissing"], threshold: 0.5 });
    const keys = { partitionKey: "p", rowKey: "r" };
    assert.deepEqual(entity, { ...record, ...keys, reasons: '["ClientDigestMissing"]', threshold: 0.5 });
  });

  test("unknown properties and Int64 numbers -> read", () => {
    const entity = { ...stored(writeSessionRow("p", "r", record)), ttlSeconds: 600n, attempts: 3n, novelty: "x" };
    assert.deepEqual(readSessionRow(entity), { ...record, attempts: 3 });
  });

  test("invalid row -> error with row key and property names, without values", () => {
    const entity = { ...stored(writeSessionRow("secret-device", "r1", record)), reasons: "{", kind: "secret-kind" };
    const message = /^(?!.*secret)The row r1 cannot be read: .*kind: .*reasons: not JSON/;
    assert.throws(() => readSession(entity), { message });
  });
});

describe("other rows", () => {
  test("guard, written and read -> the same guard", () => {
    const recent = ["2026-01-01T00:00:00.000Z"];
    const changedOn = "2026-01-01T00:30:00.000Z";
    const guard = { recent, rejectionsInARow: 2, lockedUntil: "2026-01-01T01:00:00.000Z", changedOn };
    const entity = writeGuard("p", "g_o", guard);
    assert.deepEqual([entity.partitionKey, entity.rowKey, entity.recent], ["p", "g_o", JSON.stringify(recent)]);
    assert.deepEqual(readGuard(stored(entity)), guard);
  });

  test("idempotency key, written and read -> the same key", () => {
    const times = { leaseUntil: "2026-01-01T00:00:30.000Z", dueOn: "2026-01-01T00:10:00.000Z" };
    const key = { creationId: "c1", bodyHash: "ff", owner: "o", countedFor: "o", sessionId: "s1", ...times };
    assert.deepEqual(readKey(stored(writeKey("p", "k_1", key))), key);
    const minimal = { creationId: "c1", countedFor: "services", leaseUntil: "x", dueOn: "2026-01-01T00:12:30.000Z" };
    const entity = stored(writeKey("p", "k_1", minimal));
    assert.match(String(entity.expiryPartition), /^[0-9a-f]_202601010010$/);
    assert.deepEqual(readKey(entity), { ...minimal, dueOn: "2026-01-01T00:10:00.000Z" });
  });

  test("row without countedFor -> read as counted for the services", () => {
    const { countedFor: _, ...older } = record;
    const entity: Entity = { ...stored(writeSessionRow("p", "s_1", record)), countedFor: undefined };
    assert.deepEqual(readSessionRow(entity), { ...older, countedFor: "services" });
    assert.equal(readKey({ ...entity, leaseUntil: "x" }).countedFor, "services");
  });

  test("pointer, written and read -> place of the record and fields of lists", () => {
    const { kind, deviceCorrelationId, createdOn, ttlSeconds } = record;
    const more = { owner: "o", startedOn: "2026-01-02T03:05:00.000Z" };
    const entity = stored(writePointer("p", "r", { ...record, ...more }));
    const listed = { kind, deviceCorrelationId, createdOn, ttlSeconds, ...more };
    assert.deepEqual([entity.partitionKey, entity.rowKey], ["s1", "s1"]);
    assert.deepEqual(readPointer(entity), { partition: "p", row: "r", ...listed });
    assert.deepEqual(readListed(entity), { sessionId: "s1", ...listed });
    assert.equal(entity.listed, true);
    const pruned = prunedPointer("s1", "2026-01-04T00:00:00.000Z");
    assert.deepEqual([pruned.partitionKey, pruned.rowKey, pruned.listed], ["s1", "s1", false]);
    assert.equal(readListed({ ...entity, ...stored(pruned) }), undefined);
  });

  test("due row, written and read -> the same, with its location in columns of their own", () => {
    const due = {
      ...{ creationId: "c1", phase: "collect" as const },
      ...{ dueOn: "2026-01-02T03:16:05.678Z", createdOn: "2026-01-02T03:04:05.678Z" },
      place: writePlace({ partition: "p", idempotencyRowKey: "k_c1" }),
    };
    const entity = writeDue(due);
    assert.deepEqual([entity.partitionKey, entity.rowKey], [expiryPartition("c1", due.dueOn), "c1"]);
    const { partition, row, idempotencyRowKey } = entity;
    assert.deepEqual([partition, row, idempotencyRowKey], ["p", sessionRow(due.createdOn, "c1"), "k_c1"]);
    assert.deepEqual(readDue(stored(entity)), due);
  });

  const audit = anyRecord({ id: text, body: fc.dictionary(text, fc.jsonValue()) });
  const attempts = anyRecord({ attemptId: fc.nat(), attemptStatus: text }, { audit });
  const row = sessionRow(record.createdOn, record.creationId);
  const sizes = fc.nat(3);
  const ids = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
  testPropertyTimes(50, "any audit entry -> the same, in short texts", [attempts, sizes, ids], (attempt, size, id) => {
    const error = { code: "x", message: "a😀".repeat(size * 15_000) };
    const entry = JSON.parse(JSON.stringify({ ...attempt, error }));
    const audit = { entryId: String(id), sessionId: "s1", receivedOn: record.createdOn, entry };
    const entity = writeAuditEntry("p", row, audit);
    for (const value of Object.values(entity)) {
      assert.ok(typeof value === "string" && value.length <= 32 * 1024 && value.isWellFormed());
    }
    assert.deepEqual(readAuditEntry(stored(entity)), audit);
  });
});

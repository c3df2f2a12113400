import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { playAttempt, verifySessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

describe("the storage layout", async () => {
  const { stack, app } = await openStack();
  const storage = viewStorage(stack.azurite.connectionString);

  test("names, keys and properties are those of the design, and no token is stored", async () => {
    const image = makeImage();
    const session = await app.openVerify("a/b!", { clientReferenceId: "order 7" }, image);
    const { referenceImageId: creationId } = session;
    await playAttempt(stack.emulator, session, { scenario: "realface" });
    await app.send(`${verifySessionsPath}/${session.sessionId}`);

    const device = await storage.rows("sessions");
    const inverted = (createdOn: unknown) =>
      String(9_999_999_999_999 - Date.parse(String(createdOn))).padStart(13, "0");
    const row = device.find(({ rowKey }) => rowKey?.startsWith("s_"));
    assert.ok(row);
    assert.deepEqual(
      device.map(({ partitionKey, rowKey }) => [partitionKey, rowKey]).sort(),
      [
        ["a!2fb!21", `a_${inverted(row.createdOn)}_${creationId}_${"1".padStart(19, "0")}`],
        ["a!2fb!21", "g"],
        ["a!2fb!21", `k_${creationId}`],
        ["a!2fb!21", `s_${inverted(row.createdOn)}_${creationId}`],
      ].sort(),
    );
    assert.partialDeepStrictEqual(row, {
      sessionId: session.sessionId,
      kind: "livenessWithVerify",
      deviceCorrelationId: "a/b!",
      clientReferenceId: "order 7",
      apiVersion: "v1.2",
      upstreamVersion: "v1.2",
      status: "Succeeded",
      final: true,
      decision: "accepted",
      attempts: 1,
      referenceImageId: creationId,
      idempotencyRowKey: `k_${creationId}`,
    });
    const [pointer] = await storage.rows("sessionids");
    assert.deepEqual(
      [pointer?.partitionKey, pointer?.rowKey, pointer?.partition, pointer?.row, pointer?.ttlSeconds],
      [session.sessionId, session.sessionId, "a!2fb!21", row.rowKey, 600],
    );
    const [due] = await storage.rows("expiry");
    assert.match(due?.partitionKey ?? "", /^[0-9a-f]_\d{12}$/);
    assert.deepEqual(
      [due?.rowKey, due?.phase, due?.partition, due?.row, due?.idempotencyRowKey, due?.partitionKey],
      [creationId, "collect", "a!2fb!21", row.rowKey, `k_${creationId}`, row.expiryPartition],
    );
    const names = await storage.imageNames();
    assert.deepEqual(names, [`sessions/${creationId}`]);
    assert.deepEqual(await storage.images.getBlobClient(names[0] ?? "").downloadToBuffer(), image);

    const everything = await storage.everything();
    assert.equal(everything.includes(session.authToken.slice(-20)), false);
    assert.equal(stack.app.output().includes(session.authToken.slice(-20)), false);
  });
});

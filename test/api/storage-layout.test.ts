import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { assertError, digestOf, verifySessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

const { stack, app, play } = await openStack();
const storage = viewStorage(stack.azurite.connectionString);

describe("what is stored", () => {
  test("has the names, keys and properties that the design fixes, and no token", async () => {
    const image = makeImage();
    const session = await app.openVerify("a/b!", { clientReferenceId: "order 7" }, image);
    const creationId = session.referenceImageId;
    await play(session, { scenario: "realface" });
    await app.send(`${verifySessionsPath}/${session.sessionId}`);

    const device = await storage.rows("sessions");
    const inverted = (createdOn: unknown) =>
      String(9_999_999_999_999 - Date.parse(String(createdOn))).padStart(13, "0");
    const row = device.find(({ rowKey }) => rowKey?.startsWith("s_"));
    assert.ok(row);
    const event = device.find(({ rowKey }) => rowKey?.startsWith("e_"));
    assert.deepEqual(
      device.map(({ partitionKey, rowKey }) => [partitionKey, rowKey]).sort(),
      [
        ["a!2fb!21", `e_${inverted(event?.occurredOn)}_${event?.id}`],
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
    const expiry = await storage.rows("expiry");
    const delivery = expiry.find(({ phase }) => phase === "deliver");
    assert.match(delivery?.partitionKey ?? "", /^[0-9a-f]_\d{12}$/);
    assert.deepEqual([delivery?.rowKey, delivery?.partition, delivery?.row], [event?.id, "a!2fb!21", event?.rowKey]);
    const [due, ...others] = expiry.filter((one) => one !== delivery);
    assert.deepEqual(others, []);
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

const separators = {
  "line separator": "\u2028",
  "paragraph separator": "\u2029",
  "next line": "\u0085",
  "byte order mark": "\ufeff",
  "several, with CR, LF and controls": "\u2028\u2029\u0085\ufeff\u00a0\u200b\u3000\r\n\v\f\u001c",
};

describe("text with line separators and control characters", () => {
  const path = "face/v1.2-preview.1/detectLiveness/singleModal/sessions";

  for (const [name, separator] of Object.entries(separators)) {
    test(`survives the life of a session: ${name}`, async () => {
      for (const device of [`a${separator}b`, separator, `${separator}!2028`]) {
        const clientReferenceId = `order${separator}${separator}1`;
        const session = await app.openSession(device, { clientReferenceId });
        const digest = digestOf(await play(session, { scenario: "realface" }));
        const report = { digest, deviceCorrelationId: device, clientError: `no${separator}camera` };
        assert.partialDeepStrictEqual(await app.settle(session.sessionId, report), {
          deviceCorrelationId: device,
          clientReferenceId,
          decision: "accepted",
          reasons: ["RealFace"],
        });
        const { value } = await app.outcomes(device);
        const found = value.map(({ sessionId, clientReferenceId: reference }) => [sessionId, reference]);
        assert.deepEqual(found, [[session.sessionId, clientReferenceId]]);
        const listed = (await app.send(path)).body as { id: string; deviceCorrelationId: string }[];
        assert.equal(listed.find(({ id }) => id === session.sessionId)?.deviceCorrelationId, device);

        const query = `?deviceCorrelationId=${encodeURIComponent(device)}`;
        const image = await app.send(`api/reference-images/an-image${query}`, { method: "PUT", body: makeImage() });
        assert.equal(image.status, 201, JSON.stringify(image.body));
        const erased = await app.send(`api/devices/${encodeURIComponent(device)}`, { method: "DELETE" });
        assert.deepEqual([erased.status, erased.body], [200, { sessions: 1, referenceImages: 1 }]);
        assertError(await app.send(`api/sessions/${session.sessionId}`), 404, "SessionNotFound");
        assert.deepEqual((await app.outcomes(device)).value, []);
      }
    });
  }
});

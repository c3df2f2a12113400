import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import { createDeviceStore } from "../../../src/storage/stores/devices.ts";
import { startAzurite } from "../../local/azurite.ts";
import { committed, openRig } from "./storage-rig.ts";

const azurite = await startAzurite();
after(() => azurite.stop());

describe("the link from an image of an attempt to its session", () => {
  test("is found by the image's id, and is no session", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const devices = createDeviceStore(connection);
    const { record } = await committed(sessions);
    const image = randomUUID();
    await devices.linkImage(image, record.sessionId);
    assert.equal(await devices.sessionOfImage(image), record.sessionId);
    assert.equal(await sessions.find(image), undefined);
    await devices.unlinkImage(image);
    assert.equal(await devices.sessionOfImage(image), undefined);
  });

  test("neither overwrites nor removes a session of the same id", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const devices = createDeviceStore(connection);
    const stored = await committed(sessions);
    const { sessionId } = stored.record;
    await devices.linkImage(sessionId, randomUUID());
    assert.deepEqual(await sessions.find(sessionId), stored);
    await devices.unlinkImage(sessionId);
    assert.deepEqual(await sessions.find(sessionId), stored);
  });

  test("any image id of the service", async (t) => {
    const { connection } = await openRig(t, azurite);
    const devices = createDeviceStore(connection);
    for (const image of ["a/b+c==", "a\\b", "?#%", "'", "é", "x".repeat(2000)]) {
      await devices.linkImage(image, "a-session");
      assert.equal(await devices.sessionOfImage(image), "a-session", image);
      await devices.unlinkImage(image);
    }
  });
});

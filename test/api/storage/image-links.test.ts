import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import { createSessionImages } from "../../../src/storage/stores/session-images.ts";
import { startAzurite } from "../../local/azurite.ts";
import { committed, openRig } from "./storage-rig.ts";

const azurite = await startAzurite();
after(() => azurite.stop());

describe("the link from an image of an attempt to its session", () => {
  test("is found by the image's id, and is no session", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const links = createSessionImages(connection);
    const { record } = await committed(sessions);
    const image = randomUUID();
    await links.link(image, record.sessionId);
    assert.equal(await links.sessionOf(image), record.sessionId);
    assert.equal(await sessions.find(image), undefined);
    await links.unlink(image);
    assert.equal(await links.sessionOf(image), undefined);
  });

  test("neither overwrites nor removes a session of the same id", async (t) => {
    const { sessions, connection } = await openRig(t, azurite);
    const links = createSessionImages(connection);
    const stored = await committed(sessions);
    const { sessionId } = stored.record;
    await links.link(sessionId, randomUUID());
    assert.deepEqual(await sessions.find(sessionId), stored);
    await links.unlink(sessionId);
    assert.deepEqual(await sessions.find(sessionId), stored);
  });

  test("any image id of the service", async (t) => {
    const { connection } = await openRig(t, azurite);
    const links = createSessionImages(connection);
    for (const image of ["a/b+c==", "a\\b", "?#%", "'", "é", "x".repeat(2000)]) {
      await links.link(image, "a-session");
      assert.equal(await links.sessionOf(image), "a-session", image);
      await links.unlink(image);
    }
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { guardRow, ownerPartition } from "../../../src/storage/rows/keys.ts";
import { readGuard } from "../../../src/storage/rows/other-rows.ts";
import { createDevices } from "../../../src/storage/stores/devices.ts";
import { type Azurite, startAzurite } from "../../local/azurite.ts";
import type { SeenRequest } from "./storage-proxy.ts";
import { admitAll, openRig } from "./storage-rig.ts";

describe("a principal's own guard", () => {
  let azurite: Azurite;
  before(async () => {
    azurite = await startAzurite();
  });
  after(() => azurite.stop());

  test("counts a creation once where the answer of the write was lost", async (t) => {
    const { connection, proxy } = await openRig(t, azurite);
    const devices = createDevices(connection);
    const owner = randomUUID();
    const isTransaction = ({ path }: SeenRequest) => path === "/$batch";
    for (const time of ["2026-03-01T12:00:00.000Z", "2026-03-01T12:00:01.000Z"]) {
      proxy.inject("lose-answer", isTransaction);
      await devices.editOwnerGuard(owner, (known) => admitAll(known, time));
    }
    assert.equal(proxy.strikes(), 2);
    const entity = await connection.sessions.get(ownerPartition(owner), guardRow);
    const guard = entity && readGuard(entity);
    assert.deepEqual(guard?.recent, ["2026-03-01T12:00:00.000Z", "2026-03-01T12:00:01.000Z"]);
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { clientKey, ownerOf, principal } from "../unit/fakes/principals.ts";
import { type AppRequest, assertError, createAppClient, errorOf } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

const ownerLimit = 20;
const route = (id: string) => `api/reference-images/${id}`;
const put = (image = makeImage()): AppRequest => ({ method: "PUT", body: image });

describe("reference images of users and of services", async () => {
  const { stack } = await openStack({ env: clientKey.settings });
  const storage = viewStorage(stack.azurite.connectionString);
  const service = createAppClient(stack.url, clientKey.headers);
  const user = (id: string) => createAppClient(stack.url, principal(id));
  const bytesOf = async (headers: Record<string, string>, id: string) => {
    const answer = await fetch(`${stack.url}/${route(id)}`, { headers });
    return [answer.status, Buffer.from(await answer.arrayBuffer())];
  };

  test("one id names separate images for a service and for each user", async () => {
    const [mine, theirs] = [makeImage({}, 1), makeImage({}, 2)];
    const alice = principal("alice");
    assert.equal((await user("alice").send(route("customer-1001"), put(mine))).status, 201);
    assert.equal((await service.send(route("customer-1001"), put(theirs))).status, 201);
    assert.equal((await user("bob").send(route("customer-1001"), put(makeImage({}, 3)))).status, 201);
    assert.deepEqual(await bytesOf(alice, "customer-1001"), [200, mine]);
    assert.deepEqual(await bytesOf(clientKey.headers, "customer-1001"), [200, theirs]);
    assert.deepEqual(await bytesOf({ ...alice, ...clientKey.headers }, "customer-1001"), [200, theirs]);
    assert.equal((await user("alice").send(route("customer-1001"), { method: "DELETE" })).status, 204);
    assert.deepEqual(await bytesOf(clientKey.headers, "customer-1001"), [200, theirs]);
    const names = (await storage.imageNames()).filter((name) => name.endsWith("/customer-1001"));
    assert.deepEqual(names, [`held-by/${ownerOf("bob")}/customer-1001`, "held/customer-1001"]);
  });

  test("an image of another caller cannot open a session", async () => {
    const json = { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID(), referenceImageId: "gus" };
    const open = (client: typeof service) => client.send("face/v1.2/detectLivenessWithVerify-sessions", { json });
    await user("gus").send(route("gus"), put());
    assertError(await open(service), 400, "ReferenceImageNotFound");
    assertError(await open(user("hal")), 400, "ReferenceImageNotFound");
    assert.equal((await open(user("gus"))).status, 200);
  });

  test("erasing a device removes the images bound to it, and an image bound to another device leaves no row", async () => {
    const [device, other] = [randomUUID(), randomUUID()];
    const bind = (client: typeof service, to: string) =>
      client.send(`${route("bound")}?deviceCorrelationId=${to}`, put());
    await bind(service, device);
    await bind(user("kim"), other);
    await bind(user("kim"), device);
    const rows = (await storage.rows("sessions")).filter(({ rowKey }) => rowKey?.endsWith("bound"));
    assert.deepEqual(
      rows.map(({ partitionKey, rowKey }) => [partitionKey, rowKey]),
      [
        [device, `i_${ownerOf("kim")}:bound`],
        [device, "i_bound"],
      ],
    );
    for (const { boundOn } of rows) assert.equal(new Date(String(boundOn)).toISOString(), boundOn);
    const erased = await service.send(`api/devices/${device}`, { method: "DELETE" });
    assert.deepEqual(erased.body, { sessions: 0, referenceImages: 2 });
    const everything = await storage.everything();
    for (const trace of [device, other, ownerOf("kim")]) assert.equal(everything.includes(trace), false, trace);
  });
});

describe("OWNER_IMAGE_LIMIT", async () => {
  const { stack } = await openStack({ env: { WEBSITE_AUTH_ENABLED: "true", OWNER_IMAGE_LIMIT: String(ownerLimit) } });
  const storage = viewStorage(stack.azurite.connectionString);

  test("concurrent uploads on two processes: at most the limit succeeds, and storage holds exactly those", async () => {
    const other = await stack.startAnotherApp();
    const clients = [stack.url, other.url].map((url) => createAppClient(url, principal("alice")));
    const answers = await Promise.all(
      Array.from({ length: 2 * ownerLimit }, async (_, index) => {
        const id = `image-${index}`;
        const path = `${route(id)}?deviceCorrelationId=a-device`;
        return { id, answer: await (clients[index % 2] ?? assert.fail()).send(path, put()) };
      }),
    );
    for (const { answer } of answers.filter(({ answer: { status } }) => status !== 201)) {
      assertError(answer, 429, "TooManyReferenceImages");
      assert.equal(errorOf(answer).statusCode, 429);
    }
    const kept = answers.filter(({ answer }) => answer.status === 201).map(({ id }) => id);
    assert.ok(kept.length <= ownerLimit, `${kept.length} images`);
    const names = await storage.imageNames();
    assert.deepEqual(names.map((name) => name.split("/").at(-1)).sort(), kept.sort());
    const rows = (await storage.rows("sessions")).map(({ rowKey }) => rowKey?.split(":").at(-1));
    assert.deepEqual(rows.sort(), kept);
  });
});

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { type AppRequest, assertError, createAppClient } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

const key = "a key";
const ownerLimit = 20;

function principal(id: string): Record<string, string> {
  const claims = [{ typ: "oid", val: id }];
  return { "x-ms-client-principal": Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64") };
}
const ownerOf = (id: string) => createHash("sha256").update(`3:aad:${id}`).digest("hex");
const route = (id: string, part = "") => `api/reference-images/${id}${part}`;

describe("reference images of users and of services", async () => {
  const digest = createHash("sha256").update(key).digest("hex");
  const { stack } = await openStack({
    env: {
      CLIENT_KEYS: JSON.stringify({ test: [digest] }),
      WEBSITE_AUTH_ENABLED: "true",
      OWNER_IMAGE_LIMIT: String(ownerLimit),
    },
  });
  const storage = viewStorage(stack.azurite.connectionString);
  const service = createAppClient(stack.url, { "x-functions-key": key });
  const user = (id: string) => createAppClient(stack.url, principal(id));
  const put = (image = makeImage(), headers: Record<string, string> = {}): AppRequest => ({
    ...{ method: "PUT", body: image, headers },
  });
  const bytesOf = async (headers: Record<string, string>, id: string) => {
    const answer = await fetch(`${stack.url}/${route(id)}`, { headers });
    return [answer.status, Buffer.from(await answer.arrayBuffer())];
  };

  test("are separate under one id, in whatever order they are kept", async () => {
    const [mine, theirs] = [makeImage({}, 1), makeImage({}, 2)];
    const alice = principal("alice");
    assert.equal((await user("alice").send(route("customer-1001"), put(mine))).status, 201);
    assert.equal((await service.send(route("customer-1001"), put(theirs))).status, 201, "a new one, not the user's");
    assert.equal((await user("bob").send(route("customer-1001"), put(makeImage({}, 3)))).status, 201);
    assert.deepEqual(await bytesOf(alice, "customer-1001"), [200, mine]);
    assert.deepEqual(await bytesOf({ "x-functions-key": key }, "customer-1001"), [200, theirs]);
    assert.deepEqual(await bytesOf({ ...alice, "x-functions-key": key }, "customer-1001"), [200, theirs]);
    assert.equal((await user("alice").send(route("customer-1001"), { method: "DELETE" })).status, 204);
    assert.deepEqual(await bytesOf({ "x-functions-key": key }, "customer-1001"), [200, theirs]);
    const names = (await storage.imageNames()).filter((name) => name.endsWith("/customer-1001"));
    assert.deepEqual(names, [`held-by/${ownerOf("bob")}/customer-1001`, "held/customer-1001"]);
  });

  test("do not reveal by status, header or body whether an id is taken on the other side", async () => {
    const requests: [string, AppRequest][] = [
      ["", put(Buffer.alloc(0))],
      ["", put(makeImage(), { "if-match": "*" })],
      ["", put(makeImage(), { "if-match": '"0x1"' })],
      ["", put(makeImage(), { "if-none-match": "*" })],
      ["", put()],
      ["", {}],
      ["", { headers: { "if-none-match": "*" } }],
      ["/metadata", {}],
      ["", { method: "DELETE", headers: { "if-match": "*" } }],
      ["", { method: "DELETE" }],
    ];
    const clients = {
      service,
      "a service with a principal": createAppClient(stack.url, { ...principal("cy"), "x-functions-key": key }),
      dora: user("dora"),
      eve: user("eve"),
    };
    const pairs = [
      ["service", "dora"],
      ["a service with a principal", "dora"],
      ["dora", "service"],
      ["dora", "a service with a principal"],
      ["dora", "eve"],
    ] as const;
    for (const [holder, sender] of pairs) {
      for (const [part, request] of requests) {
        const [taken, free] = [randomUUID(), randomUUID()];
        assert.equal((await clients[holder].send(route(taken), put(makeImage({}, 1)))).status, 201);
        const [seen, expected] = await Promise.all(
          [taken, free].map(async (id) => {
            const answer = await clients[sender].send(route(id, part), request);
            // What differs with every answer: times, versions and the id itself.
            const headers = [...answer.headers].filter(
              ([name]) => !["date", "etag", "x-ms-invocation-id"].includes(name),
            );
            return { status: answer.status, headers, body: JSON.stringify(answer.body).replaceAll(id, "id") };
          }),
        );
        assert.deepEqual(seen, expected, `${holder} holds it, ${sender} sends ${request.method ?? "GET"} ${part}`);
        for (const client of [clients[sender], clients[holder]]) await client.send(route(taken), { method: "DELETE" });
        await clients[sender].send(route(free), { method: "DELETE" });
      }
    }
  });

  test("open sessions of their own side only", async () => {
    const json = { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID(), referenceImageId: "gus" };
    const open = (client: typeof service) => client.send("face/v1.2/detectLivenessWithVerify-sessions", { json });
    await user("gus").send(route("gus"), put());
    assertError(await open(service), 400, "ReferenceImageNotFound");
    assertError(await open(user("hal")), 400, "ReferenceImageNotFound");
    assert.equal((await open(user("gus"))).status, 200);
    await user("gus").send(route("gus"), { method: "DELETE" });
    await service.send(route("gus"), put());
    assertError(await open(user("gus")), 400, "ReferenceImageNotFound");
    assert.equal((await open(service)).status, 200);
  });

  test("that came with a creation are read by its owner and by services", async () => {
    const form = new FormData();
    form.set("livenessOperationMode", "Passive");
    form.set("deviceCorrelationId", randomUUID());
    form.set("verifyImage", new File([makeImage()], "me.jpg"));
    const opened = await user("ida").send("face/v1.2/detectLivenessWithVerify-sessions", {
      method: "POST",
      body: form,
    });
    const id = opened.headers.get("x-reference-image-id") ?? assert.fail();
    for (const part of ["", "/metadata"]) {
      for (const client of [user("ida"), service]) assert.equal((await client.send(route(id, part))).status, 200);
      const missing = await user("jo").send(route(randomUUID(), part));
      const anothers = await user("jo").send(route(id, part));
      assertError(anothers, 404, "ResourceNotFound");
      assert.deepEqual([anothers.status, anothers.body], [missing.status, missing.body]);
    }
  });

  test("go with the device to which they are bound, and leave no note at one to which they were", async () => {
    const [device, other] = [randomUUID(), randomUUID()];
    const bind = (client: typeof service, to: string) =>
      client.send(`${route("bound")}?deviceCorrelationId=${to}`, put());
    await bind(service, device);
    await bind(user("kim"), other);
    await bind(user("kim"), device);
    const notes = (await storage.rows("sessions")).filter(({ rowKey }) => rowKey?.endsWith("bound"));
    assert.deepEqual(
      notes.map(({ partitionKey, rowKey }) => [partitionKey, rowKey]),
      [
        [device, `i_${ownerOf("kim")}:bound`],
        [device, "i_bound"],
      ],
    );
    for (const { boundOn } of notes) assert.equal(new Date(String(boundOn)).toISOString(), boundOn);
    const erased = await service.send(`api/devices/${device}`, { method: "DELETE" });
    assert.deepEqual(erased.body, { sessions: 0, referenceImages: 2 });
    const everything = await storage.everything();
    for (const trace of [device, other, ownerOf("kim")]) assert.equal(everything.includes(trace), false, trace);
  });
});

describe("the number of a user's reference images", async () => {
  const { stack } = await openStack({ env: { WEBSITE_AUTH_ENABLED: "true", OWNER_IMAGE_LIMIT: String(ownerLimit) } });
  const storage = viewStorage(stack.azurite.connectionString);
  const user = createAppClient(stack.url, principal("alice"));
  const put = (id: string, client = user) =>
    client.send(`${route(id)}?deviceCorrelationId=a-device`, { method: "PUT", body: makeImage() });
  const namesOf = async () => {
    const names = await storage.imageNames();
    return names.map((name) => name.split("/").at(-1)).sort();
  };

  test("stays within the limit with many requests at once, on two processes", async () => {
    const other = createAppClient((await stack.startAnotherApp()).url, principal("alice"));
    const ids = Array.from({ length: 2 * ownerLimit }, (_, index) => `image-${index}`);
    const answers = await Promise.all(
      ids.map(async (id, index) => ({ id, answer: await put(id, index % 2 === 0 ? user : other) })),
    );
    for (const { answer } of answers.filter(({ answer: { status } }) => status !== 201)) {
      assertError(answer, 429, "TooManyReferenceImages");
      assert.equal((answer.body as { error: { statusCode: number } }).error.statusCode, 429);
    }
    const kept = answers.filter(({ answer }) => answer.status === 201).map(({ id }) => id);
    assert.ok(kept.length <= ownerLimit, `${kept.length} are kept`);
    assert.deepEqual(await namesOf(), kept.sort(), "exactly those are there of which that was answered");
    const notes = (await storage.rows("sessions")).map(({ rowKey }) => rowKey?.split(":").at(-1));
    assert.deepEqual(notes.sort(), kept, "and no others have a note at the device");
  });

  test("is full at the limit, where images can be replaced and removed", async () => {
    for (const id of await namesOf()) await user.send(route(id ?? ""), { method: "DELETE" });
    for (let count = 0; count < ownerLimit; count += 1) assert.equal((await put(`full-${count}`)).status, 201);
    assertError(await put("one-more"), 429, "TooManyReferenceImages");
    assert.equal((await put("full-0")).status, 200);
    assert.equal((await user.send(route("full-0"), { method: "DELETE" })).status, 204);
    const [one, another] = await Promise.all([put("one-more"), put("yet-another")]);
    const statuses = [one, another].map(({ status }) => status);
    assert.ok(statuses.filter((status) => status === 201).length <= 1, statuses.join());
    assert.ok((await namesOf()).length <= ownerLimit);
  });
});

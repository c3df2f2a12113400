import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { imageTypes, makeImage, mediaTypeOf } from "../fixtures/images.ts";
import { clientKey, ownerOf, principal } from "../unit/fakes/principals.ts";
import {
  type AppRequest,
  assertError,
  createAppClient,
  creation,
  errorOf,
  verifyCreation,
  verifySessionsPath,
} from "./support/app-client.ts";
import { checkAnswer } from "./support/described-answers.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

const ownerLimit = 20;
const { stack, play } = await openStack({ env: { ...clientKey.settings, OWNER_IMAGE_LIMIT: String(ownerLimit) } });
const storage = viewStorage(stack.azurite.connectionString);
const service = createAppClient(stack.url, clientKey.headers);
const user = (id: string) => createAppClient(stack.url, principal(id));
const route = (id: string, part = "") => `api/reference-images/${id}${part}`;
const put = (image = makeImage(), headers: Record<string, string> = {}): AppRequest => ({
  ...{ method: "PUT", body: image, headers },
});

describe("reference images", () => {
  const keep = (id: string, ...[image, headers]: Parameters<typeof put>) =>
    service.send(route(id), put(image, headers));

  test("the four formats are stored by their bytes, with any content type", async () => {
    for (const format of imageTypes) {
      const [type, image] = [mediaTypeOf(format), makeImage({ type: format })];
      const id = randomUUID();
      const stored = await keep(id, image, { "content-type": "text/html" });
      assert.equal(stored.status, 201, JSON.stringify(stored.body));
      const url = `${stack.url}/${route(id)}`;
      const read = await fetch(url, { headers: clientKey.headers });
      checkAnswer("GET", url, { status: read.status, headers: read.headers, text: "" });
      assert.deepEqual([read.status, read.headers.get("content-type")], [200, type]);
      assert.equal(read.headers.get("x-content-type-options"), "nosniff");
      assert.deepEqual(Buffer.from(await read.arrayBuffer()), image);
      const { body } = await service.send(route(id, "/metadata"));
      const facts = body as Record<string, unknown>;
      assert.equal(facts.sha256, createHash("sha256").update(image).digest("hex"));
      assert.deepEqual([facts.contentType, facts.referenceImageId], [type, id]);
      assert.equal((await service.send(route(id), { method: "DELETE" })).status, 204);
      assertError(await service.send(route(id)), 404, "ResourceNotFound");
      assertError(await service.send(route(id), { method: "DELETE" }), 404, "ResourceNotFound");
    }
  });

  test("refuses other files, and images that are too small or too large", async () => {
    const svg = Buffer.from(
      `<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">${" ".repeat(2000)}</svg>`,
    );
    assertError(await keep("bad", svg), 400, "InvalidImage");
    assertError(await keep("bad", Buffer.alloc(2000, 1)), 400, "InvalidImage");
    assertError(await keep("bad", makeImage({ width: 5000 })), 400, "InvalidImage");
    assertError(await keep("bad", makeImage({ width: 35 })), 400, "InvalidImage");
    assertError(await keep("bad", Buffer.alloc(0)), 400, "InvalidImageSize");
    assertError(await keep("bad", makeImage().subarray(0, 1000)), 400, "InvalidImageSize");
    assertError(await keep("bad", makeImage({ sizeInBytes: 6 * 1024 * 1024 + 1 })), 400, "InvalidImageSize");
    assertError(await keep("bad", makeImage({ sizeInBytes: 9 * 1024 * 1024 })), 413, "RequestBodyTooLarge");
    assertError(await keep("a.b", makeImage()), 404, "ResourceNotFound");
    assertError(await service.send(route("bad")), 404, "ResourceNotFound");
  });

  test("conditional writes and reads", async () => {
    const id = randomUUID();
    const first = await keep(id, makeImage(), { "if-none-match": "*" });
    assert.equal(first.status, 201);
    const etag = first.headers.get("etag") ?? "";
    assertError(await keep(id, makeImage({ width: 64 }), { "if-none-match": "*" }), 412, "ConditionNotMet");
    assertError(await keep(id, makeImage({ width: 64 }), { "if-match": '"0x1"' }), 412, "ConditionNotMet");
    const second = await keep(id, makeImage({ width: 64 }), { "if-match": etag });
    assert.equal(second.status, 200);
    assertError(await keep(id, makeImage(), { "if-match": etag }), 412, "ConditionNotMet");
    const current = second.headers.get("etag") ?? "";
    const cached = await service.send(route(id), { headers: { "if-none-match": current } });
    assert.deepEqual([cached.status, cached.body], [304, ""]);
    const path = route(id);
    assertError(await service.send(path, { method: "DELETE", headers: { "if-match": etag } }), 412, "ConditionNotMet");
    assert.equal((await service.send(path, { method: "DELETE", headers: { "if-match": current } })).status, 204);
  });

  test("opens sessions with a held image, by JSON and by multipart, and checks which image was used", async () => {
    const id = randomUUID();
    await keep(id, makeImage());
    const device = randomUUID();
    const held = creation(device, { referenceImageId: id });
    const form = verifyCreation(device, { referenceImageId: id });
    (form.body as FormData).delete("verifyImage");
    for (const request of [held, form]) {
      const opened = await service.send(verifySessionsPath, request);
      assert.equal(opened.status, 200, JSON.stringify(opened.body));
      assert.equal(opened.headers.get("x-reference-image-id"), id);
      const session = opened.body as { sessionId: string; authToken: string };
      await play(session, { scenario: "realface", matchConfidence: 0.3 });
      await service.send(`${verifySessionsPath}/${session.sessionId}`);
      const stored = await service.session(session.sessionId);
      assert.deepEqual([stored.decision, stored.reasons], ["rejected", ["FaceNotMatched"]]);
      assert.equal(stored.referenceImageId, id);
    }
    const unknown = creation(device, { referenceImageId: "unknown" });
    assertError(await service.send(verifySessionsPath, unknown), 400, "ReferenceImageNotFound");
    assert.equal((await service.outcomes(device)).value.length, 2, "what was refused left nothing behind");
  });
});

describe("reference images of users and of services", () => {
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
    assert.deepEqual(await bytesOf(clientKey.headers, "customer-1001"), [200, theirs]);
    assert.deepEqual(await bytesOf({ ...alice, ...clientKey.headers }, "customer-1001"), [200, theirs]);
    assert.equal((await user("alice").send(route("customer-1001"), { method: "DELETE" })).status, 204);
    assert.deepEqual(await bytesOf(clientKey.headers, "customer-1001"), [200, theirs]);
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
      "a service with a principal": createAppClient(stack.url, { ...principal("cy"), ...clientKey.headers }),
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
    const withImage = creation(randomUUID(), { referenceImageId: "gus" });
    const open = (client: typeof service) => client.send(verifySessionsPath, withImage);
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
    const { referenceImageId: id } = await user("ida").openVerify();
    for (const part of ["", "/metadata"]) {
      for (const client of [user("ida"), service]) assert.equal((await client.send(route(id, part))).status, 200);
      const missing = await user("jo").send(route(randomUUID(), part));
      const anothers = await user("jo").send(route(id, part));
      assertError(anothers, 404, "ResourceNotFound");
      assert.deepEqual([anothers.status, anothers.body], [missing.status, missing.body]);
    }
  });

  test("are erased with their device, and leave no row at an earlier device", async () => {
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

describe("the number of a user's reference images", () => {
  const max = user("max");
  const putAs = (id: string, client = max) => client.send(`${route(id)}?deviceCorrelationId=a-device`, put());
  const namesOf = async () => {
    const own = (await storage.imageNames()).filter((name) => name.includes(ownerOf("max")));
    return own.map((name) => name.split("/").at(-1)).sort();
  };

  test("stays within the limit with many requests at once, on two processes", async () => {
    const other = createAppClient((await stack.startAnotherApp()).url, principal("max"));
    const ids = Array.from({ length: 2 * ownerLimit }, (_, index) => `image-${index}`);
    const answers = await Promise.all(
      ids.map(async (id, index) => ({ id, answer: await putAs(id, index % 2 === 0 ? max : other) })),
    );
    for (const { answer } of answers.filter(({ answer: { status } }) => status !== 201)) {
      assertError(answer, 429, "TooManyReferenceImages");
      assert.equal(errorOf(answer).statusCode, 429);
    }
    const kept = answers.filter(({ answer }) => answer.status === 201).map(({ id }) => id);
    assert.ok(kept.length <= ownerLimit, `${kept.length} are kept`);
    assert.deepEqual(await namesOf(), kept.sort(), "exactly those are there of which that was answered");
    const notes = (await storage.rows("sessions")).filter(({ partitionKey }) => partitionKey === "a-device");
    assert.deepEqual(
      notes.map(({ rowKey }) => rowKey?.split(":").at(-1)).sort(),
      kept,
      "and no others have a note at the device",
    );
  });

  test("at the limit, images can be replaced and removed", async () => {
    for (const id of await namesOf()) await max.send(route(id ?? ""), { method: "DELETE" });
    for (let count = 0; count < ownerLimit; count += 1) assert.equal((await putAs(`full-${count}`)).status, 201);
    assertError(await putAs("one-more"), 429, "TooManyReferenceImages");
    assert.equal((await putAs("full-0")).status, 200);
    assert.equal((await max.send(route("full-0"), { method: "DELETE" })).status, 204);
    const [one, another] = await Promise.all([putAs("one-more"), putAs("yet-another")]);
    const statuses = [one, another].map(({ status }) => status);
    assert.ok(statuses.filter((status) => status === 201).length <= 1, statuses.join());
    assert.ok((await namesOf()).length <= ownerLimit);
  });
});

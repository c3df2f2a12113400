import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { TableClient, TableServiceClient } from "@azure/data-tables";
import { BlobServiceClient } from "@azure/storage-blob";
import * as z from "zod";
import { type ApiVersion, apiVersions, type SessionKind } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { type Answer, assertError, control, createAppClient, playAttempt } from "../support/app-client.ts";
import { type Dialect, dialectOf, dialects, readEntries } from "./dialects.ts";

/** What a dialect has and not every version upstream: by the wire's own words, apart from the table in the sources. */
interface Case {
  asked: string;
  fields: Record<string, unknown>;
  kinds: SessionKind[];
  /** A session with verify whose image stays with the device. */
  withoutImage?: boolean;
  dialects: ApiVersion[];
  refusedTowards: ApiVersion[];
}

const both: SessionKind[] = ["liveness", "livenessWithVerify"];
const cases: Case[] = [
  {
    asked: "sendResultsToClient",
    fields: { sendResultsToClient: true },
    kinds: both,
    dialects: ["v1.1-preview.1", "v1.2-preview.1"],
    refusedTowards: ["v1.2"],
  },
  {
    asked: "enableSessionImage",
    fields: { enableSessionImage: true },
    kinds: both,
    dialects: ["v1.2-preview.1", "v1.2"],
    refusedTowards: ["v1.1-preview.1"],
  },
  {
    asked: "livenessSingleModalModel",
    fields: { livenessSingleModalModel: "2022-10-15-preview.04" },
    kinds: both,
    dialects: ["v1.2-preview.1"],
    refusedTowards: ["v1.1-preview.1", "v1.2"],
  },
  {
    asked: "livenessModelVersion",
    fields: { livenessModelVersion: "2024-11-15" },
    kinds: both,
    dialects: ["v1.2"],
    refusedTowards: ["v1.1-preview.1", "v1.2-preview.1"],
  },
  {
    asked: "returnVerifyImageHash",
    fields: { returnVerifyImageHash: true },
    kinds: ["livenessWithVerify"],
    dialects: ["v1.2-preview.1", "v1.2"],
    refusedTowards: ["v1.1-preview.1"],
  },
  {
    asked: "verifyImage",
    fields: {},
    kinds: ["livenessWithVerify"],
    withoutImage: true,
    dialects: ["v1.1-preview.1", "v1.2-preview.1"],
    refusedTowards: ["v1.2"],
  },
];

const image = makeImage();
const errorDetails = z.object({
  error: z.object({ message: z.string(), details: z.array(z.object({ target: z.string() })) }),
});

for (const upstream of apiVersions) {
  describe(`carrying over to ${upstream}`, () => {
    let stack: Stack;
    let app: ReturnType<typeof createAppClient>;
    before(async () => {
      stack = await startStack({ env: { FACE_API_VERSION: upstream } });
      app = createAppClient(stack.url);
    });
    after(() => stack.stop());

    const create = (dialect: Dialect, kind: SessionKind, fields: object, withoutImage = kind === "liveness") => {
      const asked = { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID(), ...fields };
      return app.send(dialect.sessions(kind), withoutImage ? { json: asked } : { body: dialect.form(asked, image) });
    };
    const creations = async () =>
      z.object({ calls: z.object({ create: z.int() }) }).parse(await control(stack.emulator, "/state")).calls.create;

    for (const { asked, fields, kinds, withoutImage, dialects, refusedTowards } of cases) {
      const isRefused = refusedTowards.includes(upstream);
      test(`${isRefused ? "refuses" : "takes"} ${asked}`, async () => {
        for (const dialect of dialects.map(dialectOf)) {
          for (const kind of kinds) {
            const before = [await creations(), await countStored(stack)];
            const answer = await create(dialect, kind, fields, withoutImage);
            if (isRefused) {
              assertNamesField(answer, asked, upstream);
              assert.deepEqual([await creations(), await countStored(stack)], before);
            } else {
              assert.equal(answer.status, 200, JSON.stringify(answer.body));
            }
          }
        }
      });
    }

    test("takes what asks for nothing", async () => {
      for (const { fields, dialects } of cases) {
        for (const dialect of dialects.map(dialectOf)) {
          for (const [name, value] of Object.entries(fields)) {
            if (value !== true) continue;
            const answer = await create(dialect, "livenessWithVerify", { [name]: false });
            assert.equal(answer.status, 200, `${name}: ${JSON.stringify(answer.body)}`);
          }
        }
      }
    });

    test("keeps the caller's threshold, whichever side it is that does", async () => {
      for (const dialect of [dialectOf("v1.2-preview.1"), dialectOf("v1.2")]) {
        for (const [matchConfidence, isIdentical, decision] of [
          [0.899, false, "rejected"],
          [0.9, true, "accepted"],
        ] as const) {
          const opened = await create(dialect, "livenessWithVerify", { verifyConfidenceThreshold: 0.9 });
          const session = dialect.readCreated("livenessWithVerify", opened.body);
          await playAttempt(stack.emulator, session, { scenario: "realface", matchConfidence });
          for (const reader of dialects) {
            const path = `${reader.sessions("livenessWithVerify")}/${session.sessionId}`;
            const { attempts } = reader.readSession("livenessWithVerify", (await app.send(path)).body);
            assert.deepEqual(attempts.at(-1)?.match, { matchConfidence, isIdentical }, reader.version);
            if (!reader.isPreview) continue;
            const [entry] = readEntries((await app.send(`${path}/audit`)).body);
            assert.deepEqual(entry?.told.match, { matchConfidence, isIdentical }, reader.version);
          }
          assert.equal((await app.session(session.sessionId)).decision, decision);
        }
      }
    });

    if (upstream === "v1.1-preview.1") return;
    test("carries what it takes as far as the result", async () => {
      const fields = { enableSessionImage: true, returnVerifyImageHash: true };
      for (const dialect of [dialectOf("v1.2-preview.1"), dialectOf("v1.2")]) {
        const opened = await create(dialect, "livenessWithVerify", fields);
        const session = dialect.readCreated("livenessWithVerify", opened.body);
        await playAttempt(stack.emulator, session, { scenario: "realface" });
        const answer = await app.send(`${dialect.sessions("livenessWithVerify")}/${session.sessionId}`);
        const [told] = dialect.readSession("livenessWithVerify", answer.body).attempts;
        for (const images of ["v1.2-preview.1/session/sessionImages", "v1.2/sessionImages"]) {
          const shown = await app.send(`face/${images}/${told?.sessionImageId}`);
          assert.deepEqual([shown.status, shown.headers.get("content-type")], [200, "application/octet-stream"]);
        }
        assert.equal(told?.verifyImageHash?.toLowerCase(), createHash("sha256").update(image).digest("hex"));
      }
    });
  });
}

/** The error names the field as the caller's dialect calls it, and the version that lacks it. */
function assertNamesField(answer: Answer, field: string, upstream: ApiVersion): void {
  assertError(answer, 400, "NotSupportedByUpstreamVersion");
  const { message, details } = errorDetails.parse(answer.body).error;
  assert.ok(message.includes(field) && message.includes(upstream), message);
  assert.deepEqual(
    details.map(({ target }) => target),
    [field],
  );
}

/** How many rows and blobs there are, whatever the tables and containers. */
async function countStored({ azurite: { connectionString } }: Stack): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const local = { allowInsecureConnection: true };
  for await (const { name = "" } of TableServiceClient.fromConnectionString(connectionString, local).listTables()) {
    const rows = TableClient.fromConnectionString(connectionString, name, local).listEntities();
    counts[name] = await countAll(rows);
  }
  const blobs = BlobServiceClient.fromConnectionString(connectionString);
  for await (const { name } of blobs.listContainers()) {
    counts[name] = await countAll(blobs.getContainerClient(name).listBlobsFlat());
  }
  // A table or container that was made and left empty is nothing either.
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

async function countAll(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _item of items) count += 1;
  return count;
}

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { TableClient, TableServiceClient } from "@azure/data-tables";
import { BlobServiceClient } from "@azure/storage-blob";
import { type ApiVersion, apiVersions, type SessionKind } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import {
  type Answer,
  assertError,
  createAppClient,
  emulatorState,
  errorOf,
  playAttempt,
} from "../support/app-client.ts";
import { type Dialect, dialectOf, dialects, readEntries } from "./dialects.ts";

/** A feature of some dialects that not every upstream version supports, independent of the table in the sources. */
interface Case {
  feature: string;
  fields: Record<string, unknown>;
  kinds: SessionKind[];
  /** Whether the device submits the verify image. */
  withoutImage?: boolean;
  dialects: ApiVersion[];
  refusedTowards: ApiVersion[];
}

const both: SessionKind[] = ["liveness", "livenessWithVerify"];
const older: ApiVersion[] = ["v1.1-preview.1", "v1.2-preview.1", "v1.2"];
const cases: Case[] = [
  {
    feature: "sendResultsToClient",
    fields: { sendResultsToClient: true },
    kinds: both,
    dialects: ["v1.1-preview.1", "v1.2-preview.1"],
    refusedTowards: ["v1.2", "v1.3-preview.1"],
  },
  {
    feature: "enableSessionImage",
    fields: { enableSessionImage: true },
    kinds: both,
    dialects: ["v1.2-preview.1", "v1.2", "v1.3-preview.1"],
    refusedTowards: ["v1.1-preview.1"],
  },
  {
    feature: "livenessSingleModalModel",
    fields: { livenessSingleModalModel: "2022-10-15-preview.04" },
    kinds: both,
    dialects: ["v1.2-preview.1"],
    refusedTowards: ["v1.1-preview.1", "v1.2", "v1.3-preview.1"],
  },
  {
    feature: "livenessModelVersion",
    fields: { livenessModelVersion: "2024-11-15" },
    kinds: both,
    dialects: ["v1.2", "v1.3-preview.1"],
    refusedTowards: ["v1.1-preview.1", "v1.2-preview.1"],
  },
  {
    feature: "returnVerifyImageHash",
    fields: { returnVerifyImageHash: true },
    kinds: ["livenessWithVerify"],
    dialects: ["v1.2-preview.1", "v1.2", "v1.3-preview.1"],
    refusedTowards: ["v1.1-preview.1"],
  },
  {
    feature: "verifyImage",
    fields: {},
    kinds: ["livenessWithVerify"],
    withoutImage: true,
    dialects: ["v1.1-preview.1", "v1.2-preview.1", "v1.2", "v1.3-preview.1"],
    refusedTowards: [],
  },
  {
    feature: "userCorrelationId",
    fields: { userCorrelationId: "a-user" },
    kinds: both,
    dialects: ["v1.2", "v1.3-preview.1"],
    refusedTowards: [],
  },
  {
    feature: "userCorrelationIdSetInClient",
    fields: { userCorrelationIdSetInClient: true, userCorrelationId: undefined },
    kinds: both,
    dialects: ["v1.3-preview.1"],
    refusedTowards: older,
  },
  {
    feature: "numberOfClientAttemptsAllowed",
    fields: { numberOfClientAttemptsAllowed: 1 },
    kinds: both,
    dialects: ["v1.3-preview.1"],
    refusedTowards: [],
  },
  {
    feature: "expectedClientIpAddress",
    fields: { expectedClientIpAddress: "203.0.113.0/24" },
    kinds: both,
    dialects: ["v1.3-preview.1"],
    refusedTowards: older,
  },
];

const image = makeImage();

for (const upstream of apiVersions) {
  describe(`carry-over to the upstream version ${upstream}`, () => {
    let stack: Stack;
    let app: ReturnType<typeof createAppClient>;
    before(async () => {
      stack = await startStack({ env: { FACE_API_VERSION: upstream } });
      app = createAppClient(stack.url);
    });
    after(() => stack.stop());

    const create = (dialect: Dialect, kind: SessionKind, fields: object, withoutImage = kind === "liveness") => {
      const sent = { livenessOperationMode: "Passive", deviceCorrelationId: randomUUID(), ...fields };
      const entries = Object.entries(dialect.fields(sent)).filter(([, value]) => value !== undefined);
      const body = Object.fromEntries(entries);
      return app.send(dialect.sessions(kind), withoutImage ? { json: body } : { body: dialect.form(body, image) });
    };
    const creations = async () => (await emulatorState(stack)).calls.create;

    for (const { feature, fields, kinds, withoutImage, dialects, refusedTowards } of cases) {
      const isRefused = refusedTowards.includes(upstream);
      test(`${isRefused ? "refuses" : "accepts"} ${feature}`, async () => {
        for (const dialect of dialects.map(dialectOf)) {
          for (const kind of kinds) {
            const before = [await creations(), await countStored(stack)];
            const answer = await create(dialect, kind, fields, withoutImage);
            if (isRefused) {
              assertNamesField(answer, feature, upstream);
              assert.deepEqual([await creations(), await countStored(stack)], before);
            } else {
              assert.equal(answer.status, 200, JSON.stringify(answer.body));
            }
          }
        }
      });
    }

    test("accepts features set to false", async () => {
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

    test("applies the caller's threshold in the service or in the app", async () => {
      for (const dialect of dialects.slice(1)) {
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
            assert.deepEqual(entry?.attempt.match, { matchConfidence, isIdentical }, reader.version);
          }
          assert.equal((await app.session(session.sessionId)).decision, decision);
        }
      }
    });

    if (upstream === "v1.1-preview.1") return;
    test("accepted features show in the result", async () => {
      const fields = { enableSessionImage: true, returnVerifyImageHash: true };
      for (const dialect of dialects.slice(1)) {
        const opened = await create(dialect, "livenessWithVerify", fields);
        const session = dialect.readCreated("livenessWithVerify", opened.body);
        await playAttempt(stack.emulator, session, { scenario: "realface" });
        const answer = await app.send(`${dialect.sessions("livenessWithVerify")}/${session.sessionId}`);
        const [attempt] = dialect.readSession("livenessWithVerify", answer.body).attempts;
        for (const images of [
          "v1.2-preview.1/session/sessionImages",
          "v1.2/sessionImages",
          "v1.3-preview.1/sessionImages",
        ]) {
          const shown = await app.send(`face/${images}/${attempt?.sessionImageId}`);
          assert.deepEqual([shown.status, shown.headers.get("content-type")], [200, "application/octet-stream"]);
        }
        assert.equal(attempt?.verifyImageHash?.toLowerCase(), createHash("sha256").update(image).digest("hex"));
      }
    });
  });
}

/** The error names the field of the caller's dialect and the version that lacks it. */
function assertNamesField(answer: Answer, field: string, upstream: ApiVersion): void {
  assertError(answer, 400, "NotSupportedByUpstreamVersion");
  const { message, details = [] } = errorOf(answer);
  assert.ok(message.includes(field) && message.includes(upstream), message);
  assert.deepEqual(
    details.map(({ target }) => target),
    [field],
  );
}

/** Number of rows and blobs by table and container. */
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
  // Empty tables and containers do not count.
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

async function countAll(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _item of items) count += 1;
  return count;
}

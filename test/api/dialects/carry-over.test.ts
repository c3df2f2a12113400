import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type ApiVersion, type SessionKind, sessionKinds } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Answer, assertError, errorOf } from "../support/app-client.ts";
import { describeUpstreams } from "../support/open-stack.ts";
import { viewStorage } from "../support/storage-view.ts";
import { createIn, dialectOf, dialects, openIn, readEntries } from "./dialects.ts";

/** A feature of some dialects that not every upstream version supports, independent of the table in the sources. */
interface Case {
  feature: string;
  fields: Record<string, unknown>;
  kinds: readonly SessionKind[];
  /** Whether the device submits the verify image. */
  withoutImage?: boolean;
  dialects: ApiVersion[];
  refusedTowards: ApiVersion[];
}

const verify = "livenessWithVerify";
const older: ApiVersion[] = ["v1.1-preview.1", "v1.2-preview.1", "v1.2"];
const cases: Case[] = [
  {
    feature: "sendResultsToClient",
    fields: { sendResultsToClient: true },
    kinds: sessionKinds,
    dialects: ["v1.1-preview.1", "v1.2-preview.1"],
    refusedTowards: ["v1.2", "v1.3-preview.1"],
  },
  {
    feature: "enableSessionImage",
    fields: { enableSessionImage: true },
    kinds: sessionKinds,
    dialects: ["v1.2-preview.1", "v1.2", "v1.3-preview.1"],
    refusedTowards: ["v1.1-preview.1"],
  },
  {
    feature: "livenessSingleModalModel",
    fields: { livenessSingleModalModel: "2022-10-15-preview.04" },
    kinds: sessionKinds,
    dialects: ["v1.2-preview.1"],
    refusedTowards: ["v1.1-preview.1", "v1.2", "v1.3-preview.1"],
  },
  {
    feature: "livenessModelVersion",
    fields: { livenessModelVersion: "2024-11-15" },
    kinds: sessionKinds,
    dialects: ["v1.2", "v1.3-preview.1"],
    refusedTowards: ["v1.1-preview.1", "v1.2-preview.1"],
  },
  {
    feature: "returnVerifyImageHash",
    fields: { returnVerifyImageHash: true },
    kinds: [verify],
    dialects: ["v1.2-preview.1", "v1.2", "v1.3-preview.1"],
    refusedTowards: ["v1.1-preview.1"],
  },
  {
    feature: "verifyImage",
    fields: {},
    kinds: [verify],
    withoutImage: true,
    dialects: ["v1.1-preview.1", "v1.2-preview.1", "v1.2", "v1.3-preview.1"],
    refusedTowards: [],
  },
  {
    feature: "userCorrelationId",
    fields: { userCorrelationId: "a-user" },
    kinds: sessionKinds,
    dialects: ["v1.2", "v1.3-preview.1"],
    refusedTowards: [],
  },
  {
    feature: "userCorrelationIdSetInClient",
    fields: { userCorrelationIdSetInClient: true, userCorrelationId: undefined },
    kinds: sessionKinds,
    dialects: ["v1.3-preview.1"],
    refusedTowards: older,
  },
  {
    feature: "numberOfClientAttemptsAllowed",
    fields: { numberOfClientAttemptsAllowed: 1 },
    kinds: sessionKinds,
    dialects: ["v1.3-preview.1"],
    refusedTowards: [],
  },
  {
    feature: "expectedClientIpAddress",
    fields: { expectedClientIpAddress: "203.0.113.0/24" },
    kinds: sessionKinds,
    dialects: ["v1.3-preview.1"],
    refusedTowards: older,
  },
];

const image = makeImage();

await describeUpstreams("carry-over", {}, (upstream, { stack, app, play, emulatorState }) => {
  /** The creations that the service has received, and everything stored. */
  const effects = async () => [
    (await emulatorState()).calls.create,
    await viewStorage(stack.azurite.connectionString).everything(),
  ];

  for (const { feature, fields, kinds, withoutImage, dialects, refusedTowards } of cases) {
    const isRefused = refusedTowards.includes(upstream);
    test(`${isRefused ? "refuses" : "accepts"} ${feature}`, async () => {
      for (const dialect of dialects.map(dialectOf)) {
        for (const kind of kinds) {
          if (isRefused) {
            const before = await effects();
            assertNamesField(await createIn(dialect, app, kind, fields), feature, upstream);
            assert.deepEqual(await effects(), before);
          } else {
            await openIn(dialect, app, kind, fields, withoutImage ? null : undefined);
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
          await openIn(dialect, app, verify, { [name]: false });
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
        const session = await openIn(dialect, app, verify, { verifyConfidenceThreshold: 0.9 });
        await play(session, { scenario: "realface", matchConfidence });
        for (const reader of dialects) {
          const path = `${reader.sessions(verify)}/${session.sessionId}`;
          const { attempts } = reader.readSession(verify, (await app.send(path)).body);
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
      const session = await openIn(dialect, app, verify, fields, image);
      await play(session, { scenario: "realface" });
      const answer = await app.send(`${dialect.sessions(verify)}/${session.sessionId}`);
      const [attempt] = dialect.readSession(verify, answer.body).attempts;
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

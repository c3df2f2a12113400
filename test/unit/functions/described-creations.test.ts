import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as z from "zod";
import type { App } from "../../../src/app.ts";
import { type ApiVersion, apiVersions, type SessionKind, sessionKinds } from "../../../src/face/model.ts";
import { readTexts } from "../../../src/face/versions/request-fields.ts";
import { inspectImage } from "../../../src/liveness/images/inspect-image.ts";
import { makeImage } from "../../fixtures/images.ts";
import { apiDocument, createValidator } from "../fakes/api-document.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import { createWorld } from "../fakes/world.ts";

const image = makeImage();

/** An app with the upstream version, in a separate world. */
async function deploy(upstream: ApiVersion, allowDeviceSetInClient: boolean) {
  const started = createApp(createWorld().start());
  await started.images.put("held/alice", { bytes: image, facts: inspectImage(image) });
  const app: App = {
    ...started,
    face: { ...started.face, version: upstream },
    policy: { ...started.policy, allowDeviceSetInClient },
    limits: { ...started.limits, creations: 1_000_000 },
  };
  return { upstream, allowDeviceSetInClient, app };
}

type Deployment = Awaited<ReturnType<typeof deploy>>;

const deployments = await Promise.all(
  apiVersions.flatMap((upstream) => [true, false].map((allowed) => deploy(upstream, allowed))),
);

/** The deployment that accepts the most requests of a version. */
function widest(spoken: ApiVersion): Deployment {
  const upstream = spoken === "v1.1-preview.1" ? "v1.2-preview.1" : spoken;
  const found = deployments.find((one) => one.upstream === upstream && one.allowDeviceSetInClient);
  assert.ok(found);
  return found;
}

const faultOf = createValidator(apiDocument);
const deployment = fc.constantFrom(...deployments);
const version = fc.constantFrom(...apiVersions);
const kind = fc.constantFrom(...sessionKinds);

type Field = [name: string, value: unknown];

const changesOf = (values: Record<string, unknown[]>): Field[] =>
  Object.entries(values).flatMap(([name, all]) => all.map((value): Field => [name, value]));

/** Changes to a request that every version accepts, some twice to make them likelier; undefined removes a field. */
const changes = changesOf({
  livenessOperationMode: ["PassiveActive", "Active", undefined],
  deviceCorrelationId: [undefined, undefined, "", "x".repeat(65)],
  deviceCorrelationIdSetInClient: [true, true, false, "yes"],
  authTokenTimeToLiveInSeconds: [60, 59, 600.5],
  clientReferenceId: ["order-7", "x".repeat(129)],
  sendResultsToClient: [true, false],
  enableSessionImage: [true, false],
  livenessSingleModalModel: ["2023-12-20-preview.06"],
  livenessModelVersion: ["2024-11-15"],
  returnVerifyImageHash: [true],
  verifyConfidenceThreshold: [0.7, 1.1],
  userCorrelationId: ["u", "x".repeat(65)],
  userCorrelationIdSetInClient: [true],
  numberOfClientAttemptsAllowed: [2, 4],
  expectedClientIpAddress: ["203.0.113.0/24", "203.0.113.0/33"],
  misspelt: ["x"],
});
const jsonChanges = [
  ...changes,
  ...changesOf({
    deviceCorrelationId: [null],
    livenessOperationMode: ["passiveACTIVE"],
    enableSessionImage: ["TRUE"],
    authTokenTimeToLiveInSeconds: ["600", "59"],
    referenceImageId: ["alice", "alice", "a b"],
    expectedReferenceImageId: ["alice", "alice"],
  }),
];

/** The device id is in the request, or set in the client. */
const bases = fc.constantFrom<Record<string, unknown>>(
  { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" },
  { livenessOperationMode: "Passive", deviceCorrelationIdSetInClient: true },
);

function fieldsOf(possible: Field[]): fc.Arbitrary<Record<string, unknown>> {
  return fc
    .tuple(bases, fc.array(fc.constantFrom(...possible), { maxLength: 3 }))
    .map(([base, made]) =>
      Object.fromEntries(
        Object.entries({ ...base, ...Object.fromEntries(made) }).filter(([, value]) => value !== undefined),
      ),
    );
}

const operations: Record<SessionKind, string> = {
  liveness: "detectLiveness",
  livenessWithVerify: "detectLivenessWithVerify",
};

/** Whether the fields of a form are parts of their own. */
function isFlat(version: ApiVersion): boolean {
  return version === "v1.2" || version === "v1.3-preview.1";
}

/** The fields with a user id, which v1.3 requires, in three of four cases. */
function withUser(spoken: ApiVersion, fields: Record<string, unknown>): Record<string, unknown> {
  const isUnnamed = JSON.stringify(fields).length % 4 === 0;
  return spoken === "v1.3-preview.1" && !isUnnamed ? { userCorrelationId: "u", ...fields } : fields;
}

function pathOf(spoken: ApiVersion, of: SessionKind): string {
  return `/face/${spoken}/${operations[of]}${isFlat(spoken) ? "-" : "/singleModal/"}sessions`;
}

/** Undefined if the app accepts a request, or the code of its 400. Any other status fails the test. */
async function refusalOf({ app }: Deployment, path: string, sent: Sent): Promise<string | undefined> {
  const { status, text } = await call({ app }, "POST", path, sent);
  if (status === 200) return undefined;
  assert.equal(status, 400, text);
  return z.object({ error: z.object({ code: z.string() }) }).parse(JSON.parse(text)).error.code;
}

/** The codes with which a deployment refuses requests that the document allows. */
const narrowing = ["DeviceSetInClientDisabled", "NotSupportedByUpstreamVersion"];

/** Counts results to prove that both outcomes occur. */
function createTally() {
  const widestAccepts: boolean[] = [];
  const narrowed = new Set<string>();
  return {
    /** The widest deployment must agree with the document; another one may also refuse with the codes in `narrowing`. */
    async compare(at: Deployment, spoken: ApiVersion, path: string, sent: Sent, fault: string | undefined) {
      const refusal = await refusalOf(widest(spoken), path, sent);
      widestAccepts.push(refusal === undefined);
      assert.equal(refusal === undefined, fault === undefined, fault ?? `allowed, and refused with ${refusal}`);
      const here = await refusalOf(at, path, sent);
      if (fault !== undefined) {
        assert.notEqual(here, undefined, fault);
      } else if (here !== undefined) {
        assert.ok(narrowing.includes(here), here);
        narrowed.add(here);
      }
    },
    assertBoth() {
      const accepted = widestAccepts.filter(Boolean).length;
      const total = widestAccepts.length;
      assert.ok(accepted > total / 20 && accepted < total * 0.95, `${accepted} of ${total} were accepted`);
      assert.deepEqual([...narrowed].sort(), narrowing);
    },
  };
}

test("JSON, its texts read as the contract's types, is valid in the document exactly if some deployment accepts it", async () => {
  const tally = createTally();
  const property = fc.asyncProperty(
    deployment,
    version,
    kind,
    fieldsOf(jsonChanges),
    async (at, spoken, of, fields) => {
      const json = withUser(spoken, fields);
      const path = pathOf(spoken, of);
      const place = ["paths", path, "post", "requestBody", "content", "application/json", "schema"];
      await tally.compare(at, spoken, path, { json }, faultOf(place, readTexts(json)));
    },
  );
  await fc.assert(property, { numRuns: 3000 });
  tally.assertBoth();
});

test("a form is valid in the document exactly if some deployment accepts it", async () => {
  const tally = createTally();
  const references = fc.constantFrom({}, { referenceImageId: "alice" }, { referenceImageId: "a b" });
  const property = fc.asyncProperty(
    deployment,
    version,
    fieldsOf(changes),
    references,
    fc.boolean(),
    async (at, spoken, fields, reference, hasImage) => {
      const path = pathOf(spoken, "livenessWithVerify");
      const place = ["paths", path, "post", "requestBody", "content", "multipart/form-data", "schema"];
      const sent = withUser(spoken, fields);
      const parts = { ...(isFlat(spoken) ? sent : { Parameters: sent }), ...reference };
      const imageName = isFlat(spoken) ? "verifyImage" : "VerifyImage";
      const fault = faultOf(place, { ...parts, ...(hasImage && { [imageName]: "its bytes" }) });
      const form = await formOf(parts, hasImage ? imageName : undefined);
      await tally.compare(at, spoken, path, form, fault);
    },
  );
  await fc.assert(property, { numRuns: 1500 });
  tally.assertBoth();
});

async function formOf(parts: Record<string, unknown>, imageName: string | undefined): Promise<Sent> {
  const form = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    form.set(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  if (imageName !== undefined) form.set(imageName, new File([image], "me.jpg", { type: "image/jpeg" }));
  const request = new Response(form);
  return { body: await request.bytes(), headers: { "content-type": request.headers.get("content-type") ?? "" } };
}

import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import type { App } from "../../../src/app.ts";
import { type ApiVersion, apiVersions, type SessionKind, sessionKinds } from "../../../src/face/model.ts";
import { inspectImage } from "../../../src/liveness/image.ts";
import { makeImage } from "../../fixtures/images.ts";
import { createValidator, describeDeployment } from "../fakes/api-document.ts";
import { call, createApp, type Sent } from "../fakes/app.ts";
import { createWorld } from "../fakes/world.ts";

const image = makeImage();

/** The app, calling the service in a version. Each has a world of its own. */
async function startApp(upstream: ApiVersion, allowDeviceSetInClient: boolean): Promise<App> {
  const app = createApp(createWorld().start());
  await app.images.put("held/alice", { bytes: image, facts: inspectImage(image) });
  return {
    ...app,
    face: { ...app.face, version: upstream },
    policy: { ...app.policy, allowDeviceSetInClient },
    limits: { ...app.limits, creations: 1_000_000 },
  };
}

const deployments = await Promise.all(
  apiVersions.flatMap((upstream) =>
    [true, false].map(async (allowDeviceSetInClient) => ({
      app: await startApp(upstream, allowDeviceSetInClient),
      faultOf: createValidator(describeDeployment({ upstream, allowDeviceSetInClient })),
    })),
  ),
);

const deployment = fc.constantFrom(...deployments);
const version = fc.constantFrom(...apiVersions);
const kind = fc.constantFrom(...sessionKinds);

type Field = [name: string, value: unknown];

/** What may be done to a request that every version takes; undefined removes a field. */
const changes: Field[] = [
  ["livenessOperationMode", "PassiveActive"],
  ["livenessOperationMode", "Active"],
  ["livenessOperationMode", undefined],
  ["deviceCorrelationId", undefined],
  ["deviceCorrelationId", undefined],
  ["deviceCorrelationId", ""],
  ["deviceCorrelationId", "x".repeat(65)],
  ["deviceCorrelationIdSetInClient", true],
  ["deviceCorrelationIdSetInClient", true],
  ["deviceCorrelationIdSetInClient", false],
  ["deviceCorrelationIdSetInClient", "yes"],
  ["authTokenTimeToLiveInSeconds", 60],
  ["authTokenTimeToLiveInSeconds", 59],
  ["authTokenTimeToLiveInSeconds", 600.5],
  ["clientReferenceId", "order-7"],
  ["clientReferenceId", "x".repeat(129)],
  ["sendResultsToClient", true],
  ["sendResultsToClient", false],
  ["enableSessionImage", true],
  ["enableSessionImage", false],
  ["livenessSingleModalModel", "2023-12-20-preview.06"],
  ["livenessModelVersion", "2024-11-15"],
  ["returnVerifyImageHash", true],
  ["verifyConfidenceThreshold", 0.7],
  ["verifyConfidenceThreshold", 1.1],
  ["misspelt", "x"],
];
const jsonChanges: Field[] = [
  ...changes,
  ["deviceCorrelationId", null],
  ["authTokenTimeToLiveInSeconds", "600"],
  ["referenceImageId", "alice"],
  ["referenceImageId", "alice"],
  ["referenceImageId", "a b"],
  ["expectedReferenceImageId", "alice"],
  ["expectedReferenceImageId", "alice"],
];

function fieldsOf(possible: Field[]): fc.Arbitrary<Record<string, unknown>> {
  const base = { livenessOperationMode: "Passive", deviceCorrelationId: "a-device" };
  return fc
    .array(fc.constantFrom(...possible), { maxLength: 3 })
    .map((made) =>
      Object.fromEntries(
        Object.entries({ ...base, ...Object.fromEntries(made) }).filter(([, value]) => value !== undefined),
      ),
    );
}

const operations: Record<SessionKind, string> = {
  liveness: "detectLiveness",
  livenessWithVerify: "detectLivenessWithVerify",
};

function pathOf(spoken: ApiVersion, of: SessionKind): string {
  return `/face/${spoken}/${operations[of]}${spoken === "v1.2" ? "-" : "/singleModal/"}sessions`;
}

/** Whether the app takes a request: anything but 200 and 400 is a failure of the test. */
async function isTaken(app: App, path: string, sent: Sent): Promise<boolean> {
  const { status, text } = await call({ app }, "POST", path, sent);
  assert.ok(status === 200 || status === 400, text);
  return status === 200;
}

/** Both must happen often, or the comparison says nothing. */
function assertBoth(seen: boolean[]): void {
  const taken = seen.filter(Boolean).length;
  assert.ok(taken > seen.length / 20 && taken < seen.length * 0.95, `${taken} of ${seen.length} were taken`);
}

it("a deployment takes the JSON that its description allows, and no other", async () => {
  const seen: boolean[] = [];
  const property = fc.asyncProperty(deployment, version, kind, fieldsOf(jsonChanges), async (at, spoken, of, json) => {
    const path = pathOf(spoken, of);
    const place = ["paths", path, "post", "requestBody", "content", "application/json", "schema"];
    const fault = at.faultOf(place, json);
    const taken = await isTaken(at.app, path, { json });
    seen.push(taken);
    assert.equal(taken, fault === undefined, fault ?? "allowed, and refused");
  });
  await fc.assert(property, { numRuns: 3000 });
  assertBoth(seen);
});

it("a deployment takes the forms that its description allows, and no other", async () => {
  const seen: boolean[] = [];
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
      const parts = { ...(spoken === "v1.2" ? fields : { Parameters: fields }), ...reference };
      const imageName = spoken === "v1.2" ? "verifyImage" : "VerifyImage";
      const fault = at.faultOf(place, { ...parts, ...(hasImage && { [imageName]: "its bytes" }) });
      const taken = await isTaken(at.app, path, await formOf(parts, hasImage ? imageName : undefined));
      seen.push(taken);
      assert.equal(taken, fault === undefined, fault ?? "allowed, and refused");
    },
  );
  await fc.assert(property, { numRuns: 1500 });
  assertBoth(seen);
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

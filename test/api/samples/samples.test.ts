import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import * as z from "zod";
import type { ApiVersion } from "../../../src/face/model.ts";
import { emulatorKey, type FaceEmulator, startFaceEmulator } from "../../local/emulator/emulator.ts";
import { playAttempt } from "../support/app-client.ts";
import { describeUpstreams } from "../support/open-stack.ts";
import { libraryRequests, refusedRequests } from "./libraries.ts";
import { type RawAnswer, sendRaw } from "./raw-http.ts";
import { image, type SampleRequest, sampleRequests } from "./requests.ts";

const samples = [...sampleRequests, ...libraryRequests];
/** The app and the service have the same key here: a client changes its endpoint only. */
const clientKeys = JSON.stringify({ samples: [createHash("sha256").update(emulatorKey).digest("hex")] });

/** An endpoint that clients are configured with. */
interface Service {
  url: string;
  emulator: FaceEmulator;
  /** The version that the app calls. Absent: the emulator alone. */
  upstream?: ApiVersion;
}

// Several samples have one device id for everyone.
const env = { CLIENT_KEYS: clientKeys, CREATION_LIMIT: "1000", USER_ID_KEY: "k".repeat(32) };
await describeUpstreams("samples", env, (upstream, { stack }) => {
  testAll({ url: stack.url, emulator: stack.emulator, upstream });
});

describe("samples, the emulator alone", async () => {
  const emulator = await startFaceEmulator();
  after(() => emulator.close());
  testAll({ url: emulator.url, emulator });
});

function testAll(service: Service): void {
  for (const sample of samples) {
    for (const version of sample.versions) {
      const name = `${sample.client}, ${sample.kind}, ${version}`;
      const code = expectedRefusal(sample, version, service.upstream);
      if (code === undefined) test(name, () => playSample(service, sample, version));
      else test(`${name}: refused`, () => checkRefusal(service, sample, version, code));
    }
  }
  test("paths in any case", () => playInAnyCase(service));
  for (const { code, ...sample } of refusedRequests) {
    for (const version of sample.versions) {
      test(`${sample.client}, ${version}`, () => checkRefusal(service, sample, version, code));
    }
  }
}

/** The path of every operation in another case, including the version. */
async function playInAnyCase(service: Service): Promise<void> {
  const headers = [keyHeader, ["Content-Type", "application/json"]] as const;
  const body = [
    Buffer.from(`{"livenessOperationMode":"Passive","deviceCorrelationId":"${randomUUID()}","userCorrelationId":"u"}`),
  ];
  const path = "/FACE/V1.3-Preview.1/DetectLIVENESS-Sessions";
  const answer = await sendRaw(service.url, { method: "POST", path, headers, body });
  assert.equal(answer.status, 200, answer.text);
  const { sessionId } = created.parse(JSON.parse(answer.text));
  for (const [method, version, status] of [
    ["GET", "v1.3-PREVIEW.1", 200],
    ["DELETE", "V1.3-preview.1", 204],
  ] as const) {
    const sessionPath = `/face/${version}/DETECTliveness-sessions/${sessionId}`;
    assert.equal((await sendRaw(service.url, { method, path: sessionPath, headers })).status, status);
  }
}

/** The code of the error where the service, or the upstream version, lacks what a request asks for. */
function expectedRefusal({ body, kind }: SampleRequest, version: ApiVersion, upstream?: ApiVersion) {
  const text = Buffer.concat(body.pieces).toString("latin1");
  if (upstream === "v1.1-preview.1" && /enableSessionImage|returnVerifyImageHash/.test(text))
    return "NotSupportedByUpstreamVersion";
  // The service takes forms only for this operation. The app converts JSON to a form.
  const isJson = body.contentType.startsWith("application/json");
  return upstream === undefined && isJson && kind === "livenessWithVerify" && version === "v1.2"
    ? "BadArgument"
    : undefined;
}

const kinds = { liveness: "detectLiveness", livenessWithVerify: "detectLivenessWithVerify" } as const;

/** The path as the sample spells it, as far as the endpoint can answer it. */
function pathOf({ upstream }: Service, sample: SampleRequest, version: ApiVersion): string {
  const isPreview = version === "v1.1-preview.1" || version === "v1.2-preview.1";
  const name = kinds[sample.kind];
  const operation = sample.operation ?? (isPreview ? `${name}/singleModal/sessions` : `${name}-sessions`);
  // The Functions host answers a path that begins with two slashes before the app: 404.
  return `${sample.doubleSlash && upstream === undefined ? "//" : "/"}face/${version}/${operation}`;
}

const keyHeader = ["Ocp-Apim-Subscription-Key", emulatorKey] as const;

function create(service: Service, sample: SampleRequest, version: ApiVersion): Promise<RawAnswer> {
  const { headers, body } = sample;
  return sendRaw(service.url, {
    method: "POST",
    path: pathOf(service, sample, version),
    headers: [keyHeader, ...headers, ["Content-Type", body.contentType]],
    body: body.pieces,
    ...(body.chunked && { chunked: true }),
  });
}

function onSession(service: Service, sample: SampleRequest, version: ApiVersion, method: "GET" | "DELETE", id: string) {
  const path = `${pathOf(service, sample, version)}/${id}`;
  return sendRaw(service.url, { method, path, headers: [keyHeader, ...sample.getHeaders] });
}

const created = z.object({ sessionId: z.string(), authToken: z.string() });
const decided = z.object({
  livenessDecision: z.literal("realface"),
  verifyResult: z.object({ isIdentical: z.literal(true), matchConfidence: z.number() }).optional(),
});
const stableResult = z.object({ results: z.object({ attempts: z.array(z.unknown()) }) });
const stableAttempt = z.object({ result: decided });
const failedAttempt = z.object({ error: z.object({ code: z.literal("FaceWithMaskDetected") }) });
const previewResult = z.object({ result: z.object({ response: z.object({ body: decided }) }) });

async function playSample(service: Service, sample: SampleRequest, version: ApiVersion): Promise<void> {
  const answer = await create(service, sample, version);
  assert.equal(answer.status, 200, answer.text);
  const session = created.parse(JSON.parse(answer.text));
  const verifyImage = sample.image === "later" ? { verifyImage: image.toString("base64") } : {};
  const play = async (scenario: string, expected: number) => {
    const { status, body } = await playAttempt(service.emulator, session, { scenario, ...verifyImage });
    assert.equal(status, expected, JSON.stringify(body));
  };
  // v1.3 allows one attempt, unless the request asks for more.
  const hasRetry = version !== "v1.3-preview.1";
  if (hasRetry) await play("FaceWithMaskDetected", 400);
  await play("realface", 200);

  const read = await onSession(service, sample, version, "GET", session.sessionId);
  assert.equal(read.status, 200, read.text);
  const body: unknown = JSON.parse(read.text);
  const isPreview = version === "v1.1-preview.1" || version === "v1.2-preview.1";
  const attempts = isPreview ? [] : stableResult.parse(body).results.attempts;
  const decision = isPreview ? previewResult.parse(body).result.response.body : stableAttempt.parse(attempts[0]).result;
  assert.equal(decision.verifyResult !== undefined, sample.kind === "livenessWithVerify");
  if (!isPreview) assert.equal(attempts.length, hasRetry ? 2 : 1);
  if (!isPreview && hasRetry) failedAttempt.parse(attempts[1]);

  if (service.upstream !== undefined) await checkAccepted(service, session.sessionId, sample);
  const deleted = await onSession(service, sample, version, "DELETE", session.sessionId);
  assert.deepEqual([deleted.status, deleted.text], [isPreview ? 200 : 204, ""]);
  const unknown = await onSession(service, sample, version, "GET", "5b0a1c52-3e8e-4a0f-9d57-0c6f2f1f7a10");
  checkError(unknown, 404, "SessionNotFound");
}

/** The app records the outcome that the sample shows, also for an image of the device, whose hash it cannot compare. */
async function checkAccepted({ url }: Service, sessionId: string, { device }: SampleRequest): Promise<void> {
  const { text } = await sendRaw(url, { method: "GET", path: `/api/sessions/${sessionId}`, headers: [keyHeader] });
  const session = JSON.parse(text);
  assert.deepEqual(
    [session.decision, session.deviceCorrelationId],
    ["accepted", device ?? session.deviceCorrelationId],
  );
}

async function checkRefusal(service: Service, sample: SampleRequest, version: ApiVersion, code: string): Promise<void> {
  checkError(await create(service, sample, version), code === "BadArgument" ? 415 : 400, code);
}

/** The error that samples show: JSON with a message. */
function checkError({ status, headers, text }: RawAnswer, expected: number, code: string): void {
  assert.equal(status, expected, text);
  assert.match(headers.get("content-type") ?? "", /^application\/json/);
  const { error } = z
    .object({ error: z.object({ code: z.string(), message: z.string().min(1) }) })
    .parse(JSON.parse(text));
  assert.equal(error.code, code, text);
}

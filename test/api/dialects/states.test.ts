import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiVersion, type SessionKind, sessionKinds } from "../../../src/face/model.ts";
import type { Stack } from "../../local/stack.ts";
import { control, createAppClient, createClient, playAttempt } from "../support/app-client.ts";
import { describeUpstreams } from "../support/open-stack.ts";
import { type Dialect, dialects, isStable, openIn, type Send } from "./dialects.ts";

/**
 * Scripts of a session's device. After each step the app's answer must equal that of the service, called directly in the
 * version of the dialect.
 */
const scripts: Record<string, string[]> = {
  "a real face": ["realface"],
  "a spoof": ["spoofface"],
  neither: ["uncertain"],
  "an attempt that runs, and fails": ["running", "FaceWithMaskDetected"],
  "a failed attempt, and one that runs": ["FaceTrackingFailed", "running", "realface"],
  "three failed attempts": ["TimedOut", "NoFaceDetected", "UnexpectedServerError"],
  "a user who cancels at last": ["TimedOut", "TimedOut", "UserCanceledSession"],
  "a user who cancels first": ["UserCanceledSession", "realface"],
  "a failure after a real face": ["realface", "TimedOut"],
  "a failed attempt, and token expiry": ["TimedOut", "later"],
  "token expiry": ["later"],
};

await describeUpstreams("the states of a session", {}, (upstream, { stack }) => {
  for (const dialect of dialects) {
    for (const [name, steps] of Object.entries(scripts)) {
      test(`${dialect.version}: ${name}`, () => compareStates(stack, upstream, dialect, steps));
    }
    for (const kind of sessionKinds) {
      test(`${dialect.version}: every field of a ${kind} session`, () => compareFields(stack, upstream, dialect, kind));
    }
  }
});

interface Side {
  send: Send;
  session: { sessionId: string; authToken: string };
  created: unknown;
}

/** Opens equal sessions through the app and at the service, in the version of the dialect. */
async function openTwice(stack: Stack, dialect: Dialect, kind: SessionKind): Promise<[ours: Side, truth: Side]> {
  const service = createClient(stack.emulator.url, { "ocp-apim-subscription-key": stack.emulator.key });
  const open = async (send: Send): Promise<Side> => {
    const { created, ...session } = await openIn(dialect, { send }, kind, { authTokenTimeToLiveInSeconds: 60 });
    return { send, created, session };
  };
  return [await open(createAppClient(stack.url).send), await open(service)];
}

/** A preview upstream does not return running attempts, nor the difference between a canceled and a failed session. */
async function compareStates(stack: Stack, upstream: ApiVersion, dialect: Dialect, steps: string[]): Promise<void> {
  const sides = await openTwice(stack, dialect, "liveness");
  const readState = async ({ send, session: { sessionId } }: Side) => {
    const { body } = await send(`${dialect.sessions("liveness")}/${sessionId}`);
    const { status, attempts } = dialect.readSession("liveness", body);
    return {
      status: isStable(upstream) ? status : status.replace("Canceled", "Failed"),
      attempts: attempts
        .filter(({ decision, errorCode }) => isStable(upstream) || (decision ?? errorCode) !== undefined)
        .map(({ digest, ...attempt }) => ({ ...attempt, hasDigest: digest !== undefined })),
    };
  };
  for (const step of steps) {
    if (step === "later") await control(stack.emulator, "/clock", { advanceSeconds: 61 });
    else for (const { session } of sides) await playAttempt(stack.emulator, session, { scenario: step });
    // Twice, because the first read records the state and must not change the next answer.
    for (const read of ["first", "second"]) {
      const [ours, truth] = await Promise.all(sides.map(readState));
      assert.deepEqual(ours, truth, `${step}, ${read} read`);
    }
  }
}

/** Fields that the upstream version does not return. */
function missing(dialect: Dialect, upstream: ApiVersion): string[] {
  if (dialect.isPreview && isStable(upstream)) return ["contentLength", "userAgent"];
  const ofService = dialect.version === "v1.3-preview.1" ? ["authToken"] : [];
  const ofAbuse = ["isAbuseMonitoringEnabled", "clientInformation", "abuseMonitoringResult"];
  const absent = dialect.version === "v1.3-preview.1" && upstream !== "v1.3-preview.1" ? ofAbuse : [];
  const older = dialect.isPreview || isStable(upstream) ? [] : ["modelVersion", "targets of errors"];
  return [...older, ...absent, ...ofService];
}

/** The app requests the hash for its own comparison, so its answers have it as well. */
const addition = "verifyImageHash";

async function compareFields(stack: Stack, upstream: ApiVersion, dialect: Dialect, kind: SessionKind): Promise<void> {
  const without = new Set([...missing(dialect, upstream), addition]);
  const sides = await openTwice(stack, dialect, kind);
  const answers = await Promise.all(
    sides.map(async ({ send, session, created }) => {
      const path = `${dialect.sessions(kind)}/${session.sessionId}`;
      const unstarted = (await send(path)).body;
      for (const scenario of ["TimedOut", "realface"]) await playAttempt(stack.emulator, session, { scenario });
      const ended = (await send(path)).body;
      const audit = dialect.isPreview ? (await send(`${path}/audit`)).body : [];
      return { created, unstarted, ended, audit };
    }),
  );
  const [ours, truth] = answers.map((answer) => fieldsOf(answer).filter((field) => !without.has(nameOf(field))));
  assert.deepEqual(ours, truth);
}

/** Every path in a value with the type of its value, sorted. Arrays are in the order of their attempts' ids. */
function fieldsOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [`${path}: ${value === null ? "null" : typeof value}`];
  const entries = Array.isArray(value)
    ? value.toSorted((one, other) => (one.attemptId ?? 0) - (other.attemptId ?? 0)).entries()
    : Object.entries(value);
  return [...entries].flatMap(([name, inner]) => fieldsOf(inner, `${path}/${name}`)).sort();
}

function nameOf(field: string): string {
  if (/\/error\/targets\//.test(field)) return "targets of errors";
  if (/\/clientInformation\//.test(field)) return "clientInformation";
  if (/\/abuseMonitoringResult\//.test(field)) return "abuseMonitoringResult";
  return /\/(\w+): /.exec(field)?.[1] ?? "";
}

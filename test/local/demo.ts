import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { StackError } from "./child.ts";
import { makeSampleImage } from "./sample-image.ts";
import { fail, print } from "./terminal.ts";

/**
 * `npm run demo`: one check from start to end against a running stack, printed step by step. Reads `APP_URL`,
 * `FACE_EMULATOR_URL`, `WEBHOOK_RECEIVER_URL` and `CLIENT_KEY`.
 */
const appUrl = (process.env.APP_URL ?? "http://127.0.0.1:7071").replace(/\/$/, "");
const emulatorUrl = (process.env.FACE_EMULATOR_URL ?? "http://127.0.0.1:7080").replace(/\/$/, "");
const receiverUrl = (process.env.WEBHOOK_RECEIVER_URL ?? "http://127.0.0.1:7090").replace(/\/$/, "");
const clientKey = process.env.CLIENT_KEY;
const deviceCorrelationId = `demo-${randomUUID().slice(0, 8)}`;
const sessionsPath = "face/v1.2/detectLivenessWithVerify-sessions";

const createdShape = z.object({ sessionId: z.string(), authToken: z.string() });
const playedShape = z.object({ digest: z.string() });
const resultShape = z.object({
  status: z.literal("Succeeded"),
  results: z.object({
    attempts: z.tuple([
      z.object({
        result: z.object({
          livenessDecision: z.literal("realface"),
          verifyResult: z.object({ matchConfidence: z.number(), isIdentical: z.literal(true) }),
          digest: z.string(),
        }),
      }),
    ]),
  }),
});
const sessionShape = z.object({
  sessionId: z.string(),
  status: z.string(),
  attempts: z.number(),
  final: z.boolean(),
  decision: z.string().optional(),
  reasons: z.array(z.string()),
});
const receivedShape = z.object({
  received: z.array(
    z.object({
      id: z.string().optional(),
      signature: z.string(),
      event: z.object({ type: z.string(), subject: z.string().optional() }).optional(),
    }),
  ),
});
const outcomesShape = z.object({ value: z.array(sessionShape) });

try {
  await expectApp();
  await playCheck();
} catch (error) {
  fail(error);
}

async function playCheck(): Promise<void> {
  print(`A server creates a session with verify at ${appUrl} for the device "${deviceCorrelationId}",`);
  print("with a reference image in the request.");
  const created = createdShape.parse(await call("create the session", "POST", sessionsPath, makeCreateForm()));
  print(`  session ${created.sessionId}, token ${maskToken(created.authToken)}`);

  print(`The device makes an attempt with the token (the emulator at ${emulatorUrl} plays it).`);
  const played = playedShape.parse(await playAttempt(created));
  print(`  the device's digest of the attempt: ${played.digest}`);

  print("The server reads the result.");
  const sessionPath = `${sessionsPath}/${created.sessionId}`;
  const result = expectShape(resultShape, await call("get the result", "GET", sessionPath), "the result");
  const [{ result: attempt }] = result.results.attempts;
  print(`  ${result.status}: ${attempt.livenessDecision}, match confidence ${attempt.verifyResult.matchConfidence}`);
  expect(attempt.digest === played.digest, "the service's digest is not the device's");
  print("  the digests of service and device are equal: the images were not replaced on the way");

  print("The server settles the session with the device's digest. The app compares the digests and decides.");
  const report = JSON.stringify({ digest: played.digest });
  const settlePath = `api/sessions/${created.sessionId}/settle`;
  const session = expectShape(sessionShape, await call("settle the session", "POST", settlePath, report));
  print(`  ${describe(session)}`);
  print("The server reads all outcomes of the device from the app's storage.");
  const outcomes = expectShape(
    outcomesShape,
    await call("list the outcomes", "GET", `api/devices/${deviceCorrelationId}/outcomes`),
  );
  expect(outcomes.value.length === 1, `the device has ${outcomes.value.length} outcomes instead of one`);
  for (const outcome of outcomes.value) {
    print(`  ${outcome.sessionId}: ${describe(outcome)}`);
  }

  print("The server deletes the session. The service revokes the token; the app keeps the record.");
  await call("delete the session", "DELETE", sessionPath);
  const gone = await request(`${appUrl}/${sessionPath}`, "GET");
  expect(gone.status === 404, `the deleted session is answered with ${gone.status} instead of 404`);
  const kept = expectShape(sessionShape, await call("read the record", "GET", `api/sessions/${created.sessionId}`));
  print(`  ${describe(kept)}`);

  print(`The app has sent the outcome to its webhook (the receiver at ${receiverUrl} checks the signature).`);
  print(`  ${await findWebhook(created.sessionId)}`);
  print("Done.");
}

/** Waits a few seconds for the webhook about a session. */
async function findWebhook(sessionId: string): Promise<string> {
  for (let tries = 0; tries < 30; tries += 1) {
    const answer = await fetch(`${receiverUrl}/received`).catch(() => undefined);
    if (!answer?.ok) return "no receiver there: set WEBHOOK_RECEIVER_URL to that of the stack";
    const { received } = expectShape(receivedShape, await answer.json());
    const found = received.find(({ event }) => event?.subject === `sessions/${sessionId}`);
    if (found) return `${found.event?.type} ${found.id}, signature ${found.signature}`;
    await sleep(100);
  }
  return "no webhook yet: the app repeats a delivery that fails, and WEBHOOK_ENDPOINTS may name another receiver";
}

function makeCreateForm(): FormData {
  const form = new FormData();
  form.set("livenessOperationMode", "Passive");
  form.set("deviceCorrelationId", deviceCorrelationId);
  form.set("verifyImage", new Blob([makeSampleImage()], { type: "image/bmp" }), "reference.bmp");
  return form;
}

async function playAttempt({ sessionId, authToken }: z.infer<typeof createdShape>): Promise<unknown> {
  const url = `${emulatorUrl}/emulator/sessions/${sessionId}/attempts`;
  const response = await request(url, "POST", JSON.stringify({ scenario: "realface", matchConfidence: 0.93 }), {
    authorization: `Bearer ${authToken}`,
    "content-type": "application/json",
  });
  expect(response.ok, `the attempt could not be played: ${response.status} ${response.text}`);
  return parseJson(response.text);
}

async function expectApp(): Promise<void> {
  const health = await request(`${appUrl}/api/health/ready`, "GET");
  expect(health.ok, `the app at ${appUrl} is not ready: ${health.status} ${health.text}`);
}

/** Calls the app. Resolves with the JSON body, undefined for an empty one. Throws `StackError` for an error status. */
async function call(what: string, method: string, path: string, body?: FormData | string): Promise<unknown> {
  const key: Record<string, string> = clientKey ? { "Ocp-Apim-Subscription-Key": clientKey } : {};
  const type: Record<string, string> = typeof body === "string" ? { "content-type": "application/json" } : {};
  const response = await request(`${appUrl}/${path}`, method, body, { ...key, ...type });
  expect(response.ok, `could not ${what}: ${response.status} ${response.text}`);
  return response.text === "" ? undefined : parseJson(response.text);
}

interface Answer {
  ok: boolean;
  status: number;
  text: string;
}

async function request(
  url: string,
  method: string,
  body?: FormData | string,
  headers: Record<string, string> = clientKey ? { "Ocp-Apim-Subscription-Key": clientKey } : {},
): Promise<Answer> {
  try {
    const response = await fetch(url, { method, headers, body: body ?? null });
    return { ok: response.ok, status: response.status, text: await response.text() };
  } catch (error) {
    throw new StackError(`No answer from ${new URL(url).origin}. Is the stack running (npm start)?`, {
      cause: error,
    });
  }
}

function expect(condition: boolean, otherwise: string): void {
  if (!condition) {
    throw new StackError(`Not as expected: ${otherwise}`);
  }
}

function expectShape<T>(shape: z.ZodType<T>, value: unknown, what = "the answer"): T {
  const parsed = shape.safeParse(value);
  if (!parsed.success) {
    throw new StackError(`Not as expected: ${what} is ${JSON.stringify(value)}\n${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StackError(`Not as expected: an answer is not JSON: ${text.slice(0, 200)}`);
  }
}

function describe({ status, attempts, final, decision, reasons }: z.infer<typeof sessionShape>): string {
  const because = reasons.length > 0 ? ` (${reasons.join(", ")})` : "";
  return `${status}, attempts: ${attempts}, ${final ? "final" : "open"}, decision: ${decision ?? "none"}${because}`;
}

/** The first characters of a token: too few to use it. */
function maskToken(token: string): string {
  return `${token.slice(0, 8)}… (${token.length} characters)`;
}

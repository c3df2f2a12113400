import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type Stack, startStack } from "../local/stack.ts";
import { assertError, control, createAppClient } from "./support/app-client.ts";

const path = "face/v1.2/detectLiveness-sessions";
const body = (deviceCorrelationId: string) => ({ json: { livenessOperationMode: "Passive", deviceCorrelationId } });

describe("creation limits", () => {
  let stack: Stack;
  before(async () => {
    stack = await startStack({
      env: { WEBSITE_AUTH_ENABLED: "true", OWNER_CREATION_LIMIT: "3", CLIENT_KEYS: clientKeys, CREATION_LIMIT: "10" },
    });
  });
  after(() => stack.stop());

  test("lets exactly so many through, of 200 at once on two processes", async () => {
    const other = await stack.startAnotherApp();
    const apps = [stack.url, other.url].map((url) => createAppClient(url, { "x-functions-key": key }));
    const device = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => apps[index % 2]?.send(path, body(device))),
    );
    const statuses = Map.groupBy(answers, (answer) => answer?.status);
    assert.equal(statuses.get(200)?.length, 10);
    const refused = answers.filter((answer) => answer !== undefined && answer.status !== 200);
    for (const answer of refused) {
      if (answer?.status === 503) continue;
      assertError(answer ?? assert.fail(), 429, "429");
      assert.match(
        JSON.stringify(answer?.body),
        /"statusCode":429.*Rate limit is exceeded\. Try again in \d+ seconds\./,
      );
      assert.ok(Number(answer?.headers.get("retry-after")) > 0);
    }
    const trusted = apps[0] ?? assert.fail();
    assert.equal((await trusted.outcomes(device, "?top=100")).value.length, 10);
    await control(stack.emulator, "/clock", { advanceSeconds: 601 });
    assert.equal((await trusted.send(path, body(device))).status, 200);
  });

  test("limits a principal whatever its devices are", async () => {
    const claims = [{ typ: "oid", val: "alice" }];
    const header = Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64");
    const alice = createAppClient(stack.url, { "x-ms-client-principal": header });
    const answers = await Promise.all(Array.from({ length: 9 }, () => alice.send(path, body(randomUUID()))));
    assert.equal(answers.filter(({ status }) => status === 200).length, 3);
    for (const answer of answers.filter(({ status }) => status !== 200)) assertError(answer, 429, "429");
  });
});

const key = "k";
const clientKeys = JSON.stringify({ test: [createHash("sha256").update(key).digest("hex")] });

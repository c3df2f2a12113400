import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { startStack } from "../local/stack.ts";
import { control, createAppClient, playAttempt } from "./support/app-client.ts";
import { viewStorage } from "./support/storage-view.ts";

const clientKey = `client-key-${randomUUID()}`;
const claimed = { id: `oid-${randomUUID()}`, name: "Alice Liddell", mail: "alice@wonderland.example" };

function principal(): string {
  const claims = [
    { typ: "oid", val: claimed.id },
    { typ: "name", val: claimed.name },
    { typ: "email", val: claimed.mail },
  ];
  return Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64");
}

test("a full story leaves no token, key, image or claim in logs, errors and tables", async (t) => {
  const stack = await startStack({
    env: {
      CLIENT_KEYS: JSON.stringify({ shop: [createHash("sha256").update(clientKey).digest("hex")] }),
      WEBSITE_AUTH_ENABLED: "true",
    },
  });
  t.after(() => stack.stop());
  const headers = principal();
  const errors: string[] = [];
  const tokens: string[] = [];
  const image = makeImage({ sizeInBytes: 4096 }, 7);
  const verifyPath = "face/v1.2/detectLivenessWithVerify-sessions";

  for (const caller of [{ "ocp-apim-subscription-key": clientKey }, { "x-ms-client-principal": headers }]) {
    const app = createAppClient(stack.url, caller as Record<string, string>);
    const send: typeof app.send = async (...request) => {
      const answer = await app.send(...request);
      if (answer.status >= 400) errors.push(JSON.stringify([answer.body, [...answer.headers]]));
      return answer;
    };
    const form = () => {
      const parts = new FormData();
      parts.set("livenessOperationMode", "Passive");
      parts.set("deviceCorrelationId", randomUUID());
      parts.set("verifyImage", new File([image], "me.jpg"));
      return parts;
    };
    const opened = (await send(verifyPath, { method: "POST", body: form() })).body as {
      sessionId: string;
      authToken: string;
    };
    tokens.push(opened.authToken);
    await control(stack.emulator, "/settings", { tokenInGet: true });
    await playAttempt(stack.emulator, opened, { scenario: "realface" });
    await send(`${verifyPath}/${opened.sessionId}`);
    await send(`api/sessions/${opened.sessionId}/settle`, { json: { digest: "00", clientError: "none" } });
    for (const fault of [
      { operation: "create", status: 500, times: 1 },
      { operation: "create", reset: true, times: 1 },
      { operation: "create", after: true, reset: true, times: 1 },
      { operation: "get", status: 500, times: 5 },
      { operation: "delete", reset: true, times: 5 },
    ]) {
      await control(stack.emulator, "/faults", fault);
      await send(verifyPath, { method: "POST", body: form() });
      await send(`${verifyPath}/${opened.sessionId}`);
      await send(`${verifyPath}/${opened.sessionId}`, { method: "DELETE" });
      await control(stack.emulator, "/faults", undefined, "DELETE");
    }
    await send(verifyPath, { method: "POST", body: image, headers: { "content-type": "application/json" } });
    await send("face/v1.2/detectLiveness-sessions", {
      json: { livenessOperationMode: opened.authToken, deviceCorrelationId: clientKey.repeat(3) },
    });
    await send("api/reference-images/me", { method: "PUT", body: image });
  }
  await control(stack.emulator, "/clock", { advanceSeconds: 3600 });
  await control(stack.emulator, "/faults", { operation: "get", status: 500, times: 50 });
  await stack.app.runFunction("maintainSessions");
  await stack.azurite.stop();
  const stranded = await createAppClient(stack.url, { "x-functions-key": clientKey }).send("api/sessions/x-y");
  errors.push(JSON.stringify(stranded.body));

  assert.ok(errors.length > 10, "the story has its failures");
  assert.match(stack.app.output(), /RequestFailed/, "and they were logged");
  const secrets = {
    token: tokens.flatMap((token) => [token, token.slice(-30), token.split(".")[1] ?? token]),
    key: [clientKey, stack.emulator.key],
    image: [image.subarray(100, 160).toString("base64"), image.subarray(100, 160).toString("latin1")],
    claim: [headers, claimed.id, claimed.name, claimed.mail],
  };
  const said = { log: stack.app.output(), errors: errors.join("\n") };
  for (const [kind, texts] of Object.entries(secrets)) {
    for (const [where, text] of Object.entries(said)) {
      assert.deepEqual(
        texts.filter((secret) => text.includes(secret)),
        [],
        `${kind} in ${where}`,
      );
    }
  }
});

test("nothing of the kind is in the tables either", async (t) => {
  const stack = await startStack({ env: { WEBSITE_AUTH_ENABLED: "true" } });
  t.after(() => stack.stop());
  const app = createAppClient(stack.url, { "x-ms-client-principal": principal() });
  const session = await app.openSession();
  await playAttempt(stack.emulator, session, { scenario: "realface" });
  await app.send(`face/v1.2/detectLiveness-sessions/${session.sessionId}`);
  const everything = await viewStorage(stack.azurite.connectionString).everything();
  assert.match(everything, new RegExp(session.sessionId));
  for (const secret of [session.authToken.slice(-30), stack.emulator.key, ...Object.values(claimed)]) {
    assert.equal(everything.includes(secret), false);
  }
});

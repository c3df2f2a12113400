import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { createAppClient, creation, sessionsPath, verifyCreation, verifySessionsPath } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { viewStorage } from "./support/storage-view.ts";

const clientKey = `client-key-${randomUUID()}`;
const claimed = { id: `oid-${randomUUID()}`, name: "Alice Liddell", mail: "alice@wonderland.example" };
const claims = [
  { typ: "oid", val: claimed.id },
  { typ: "name", val: claimed.name },
  { typ: "email", val: claimed.mail },
];
const principal = Buffer.from(JSON.stringify({ auth_typ: "aad", claims })).toString("base64");

describe("logs, errors and tables", async () => {
  const { stack, play, control } = await openStack({
    env: {
      CLIENT_KEYS: JSON.stringify({ shop: [createHash("sha256").update(clientKey).digest("hex")] }),
      WEBSITE_AUTH_ENABLED: "true",
    },
  });

  test("contain no token, key, image or claim", async () => {
    const errors: string[] = [];
    const tokens: string[] = [];
    const image = makeImage({ sizeInBytes: 4096 }, 7);

    for (const caller of [{ "ocp-apim-subscription-key": clientKey }, { "x-ms-client-principal": principal }]) {
      const app = createAppClient(stack.url, caller as Record<string, string>);
      const send: typeof app.send = async (...request) => {
        const answer = await app.send(...request);
        if (answer.headers.has("x-ms-error-code")) errors.push(JSON.stringify([answer.body, [...answer.headers]]));
        return answer;
      };
      const opened = await app.openVerify(randomUUID(), {}, image);
      const path = `${verifySessionsPath}/${opened.sessionId}`;
      tokens.push(opened.authToken);
      await control("/settings", { tokenInGet: true });
      await play(opened, { scenario: "realface" });
      await send(path);
      await send(`api/sessions/${opened.sessionId}/settle`, { json: { digest: "00", clientError: "none" } });
      for (const fault of [
        { operation: "create", status: 500, times: 1 },
        { operation: "create", reset: true, times: 1 },
        { operation: "create", after: true, reset: true, times: 1 },
        { operation: "get", status: 500, times: 5 },
        { operation: "delete", reset: true, times: 5 },
      ]) {
        await control("/faults", fault);
        await send(verifySessionsPath, verifyCreation(randomUUID(), {}, image));
        await send(path);
        await send(path, { method: "DELETE" });
        await control("/faults", undefined, "DELETE");
      }
      await send(verifySessionsPath, { method: "POST", body: image, headers: { "content-type": "application/json" } });
      await send(sessionsPath, creation(clientKey.repeat(3), { livenessOperationMode: opened.authToken }));
      await send("api/reference-images/me", { method: "PUT", body: image });
    }
    await control("/clock", { advanceSeconds: 3600 });
    await control("/faults", { operation: "get", status: 500, times: 50 });
    await stack.app.runFunction("maintainSessions");
    const tables = await viewStorage(stack.azurite.connectionString).everything();
    assert.match(tables, /"kind":"livenessWithVerify"/);
    await stack.azurite.stop();
    const stranded = await createAppClient(stack.url, { "x-functions-key": clientKey }).send("api/sessions/x-y");
    errors.push(JSON.stringify(stranded.body));

    assert.ok(errors.length > 10, "the test provokes errors");
    assert.match(stack.app.output(), /RequestFailed/, "the app logs them");
    const secrets = {
      token: tokens.flatMap((token) => [token, token.slice(-30), token.split(".")[1] ?? token]),
      key: [clientKey, stack.emulator.key],
      image: [image.subarray(100, 160).toString("base64"), image.subarray(100, 160).toString("latin1")],
      claim: [principal, ...Object.values(claimed)],
    };
    const texts = { log: stack.app.output(), errors: errors.join("\n"), tables };
    for (const [kind, values] of Object.entries(secrets)) {
      for (const [where, text] of Object.entries(texts)) {
        const found = values.filter((secret) => text.includes(secret));
        assert.deepEqual(found, [], `${kind} in ${where}`);
      }
    }
  });
});

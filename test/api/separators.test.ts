import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeImage } from "../fixtures/images.ts";
import { assertError, digestOf, playAttempt } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";

const separators = {
  "line separator": "\u2028",
  "paragraph separator": "\u2029",
  "next line": "\u0085",
  "byte order mark": "\ufeff",
  "several, with CR, LF and controls": "\u2028\u2029\u0085\ufeff\u00a0\u200b\u3000\r\n\v\f\u001c",
};

describe("text with line separators and control characters", async () => {
  const { stack, app } = await openStack();
  const path = "face/v1.2-preview.1/detectLiveness/singleModal/sessions";

  for (const [name, separator] of Object.entries(separators)) {
    test(`survives the life of a session: ${name}`, async () => {
      for (const device of [`a${separator}b`, separator, `${separator}!2028`]) {
        const clientReferenceId = `order${separator}${separator}1`;
        const session = await app.openSession(device, { clientReferenceId });
        const digest = digestOf(await playAttempt(stack.emulator, session, { scenario: "realface" }));
        const report = { digest, deviceCorrelationId: device, clientError: `no${separator}camera` };
        assert.partialDeepStrictEqual(await app.settle(session.sessionId, report), {
          deviceCorrelationId: device,
          clientReferenceId,
          decision: "accepted",
          reasons: ["RealFace"],
        });
        const { value } = await app.outcomes(device);
        assert.deepEqual(
          value.map(({ sessionId, clientReferenceId: reference }) => [sessionId, reference]),
          [[session.sessionId, clientReferenceId]],
        );
        const listed = (await app.send(path)).body as { id: string; deviceCorrelationId: string }[];
        assert.equal(listed.find(({ id }) => id === session.sessionId)?.deviceCorrelationId, device);

        const query = `?deviceCorrelationId=${encodeURIComponent(device)}`;
        const image = await app.send(`api/reference-images/an-image${query}`, { method: "PUT", body: makeImage() });
        assert.equal(image.status, 201, JSON.stringify(image.body));
        const erased = await app.send(`api/devices/${encodeURIComponent(device)}`, { method: "DELETE" });
        assert.deepEqual([erased.status, erased.body], [200, { sessions: 1, referenceImages: 1 }]);
        assertError(await app.send(`api/sessions/${session.sessionId}`), 404, "SessionNotFound");
        assert.deepEqual((await app.outcomes(device)).value, []);
      }
    });
  }
});

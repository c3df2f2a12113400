import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { at, startStandIn } from "./stand-in.ts";

const creations = [
  "/face/v1.2/detectLiveness-sessions",
  "/face/v1.2/detectLivenessWithVerify-sessions",
  "/face/v1.2-preview.1/detectLivenessWithVerify/singleModal/sessions",
  "/face/v1.1-preview.1/detectLiveness/singleModal/sessions",
];
const fieldNames = [
  "livenessOperationMode",
  "deviceCorrelationId",
  "deviceCorrelationIdSetInClient",
  "authTokenTimeToLiveInSeconds",
  "verifyConfidenceThreshold",
  "Parameters",
  "verifyImage",
  "__proto__",
];

const jsonBody = fc
  .oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom(...fieldNames), fc.jsonValue()))
  .map((value) => ({ type: "application/json", body: Buffer.from(JSON.stringify(value)) }));
const formPart = fc.record({
  name: fc.constantFrom(...fieldNames, ""),
  filename: fc.constantFrom("", `; filename=""`, `; filename="a.jpg"`, `; filename="é`),
  content: fc.string({ unit: "binary" }),
});
const formBody = fc.array(formPart, { maxLength: 4 }).map((parts) => ({
  type: "multipart/form-data; boundary=b",
  body: Buffer.from(
    `${parts
      .map(
        ({ name, filename, content }) =>
          `--b\r\ncontent-disposition: form-data; name="${name}"${filename}\r\n\r\n${content}\r\n`,
      )
      .join("")}--b--\r\n`,
  ),
}));
const anyBody = fc.record({
  type: fc.constantFrom("application/json", "multipart/form-data; boundary=b", "multipart/form-data", "text/plain"),
  body: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
});

test("whatever is sent, the answer is the service's, and never a failure of the emulator", async (t) => {
  const emulator = await startStandIn(t);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...creations),
      fc.oneof(jsonBody, formBody, anyBody),
      async (path, { type, body }) => {
        const answer = await emulator.face(path, { method: "POST", body, headers: { "content-type": type } });
        assert.ok([200, 400, 415].includes(answer.status), answer.text);
        if (answer.status !== 200)
          assert.equal(at(answer.json, "error", "code"), answer.headers.get("x-ms-error-code"));
      },
    ),
    { numRuns: 400 },
  );
});

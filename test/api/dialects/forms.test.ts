import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { makeImage } from "../../fixtures/images.ts";
import { assertError } from "../support/app-client.ts";
import { openStack } from "../support/open-stack.ts";
import { dialects } from "./dialects.ts";

/** The form of an HTTP library: the headers of its parts, and the media type with the boundary. */
interface Style {
  library: string;
  contentType: (boundary: string) => string;
  field: (name: string, type: string | undefined) => string[];
  file: (name: string) => string[];
}

const styles: Style[] = [
  {
    library: ".NET's HttpClient",
    contentType: (boundary) => `multipart/form-data; boundary="${boundary}"`,
    field: (name, type = "text/plain; charset=utf-8") => [
      `Content-Type: ${type}`,
      `Content-Disposition: form-data; name=${name}`,
    ],
    file: (name) => [
      "Content-Type: application/octet-stream",
      `Content-Disposition: form-data; name=${name}; filename=me.jpg; filename*=utf-8''me.jpg`,
    ],
  },
  {
    library: "Java's OkHttp",
    contentType: (boundary) => `multipart/form-data; boundary=${boundary}`,
    field: (name, type) => [
      `Content-Disposition: form-data; name="${name}"`,
      ...(type ? [`Content-Type: ${type}`] : []),
      "Content-Transfer-Encoding: binary",
    ],
    file: (name) => [
      `Content-Disposition: form-data; name="${name}"; filename="me.jpg"`,
      "Content-Type: image/jpeg",
      "Content-Length: 2048",
    ],
  },
  {
    library: "Python's requests",
    contentType: (boundary) => `multipart/form-data; boundary=${boundary}`,
    field: (name, type) => [
      `Content-Disposition: form-data; name="${name}"`,
      ...(type ? [`Content-Type: ${type}`] : []),
    ],
    file: (name) => [`Content-Disposition: form-data; name="${name}"; filename="me.jpg"`],
  },
  {
    library: "curl, with a file for each field",
    contentType: (boundary) => `Multipart/Form-Data;boundary=${boundary}`,
    field: (name, type = "application/octet-stream") => [
      `content-disposition: form-data; name="${name}"; filename="${name}"`,
      `content-type: ${type}`,
    ],
    file: (name) => [
      `content-disposition: form-data; name="${name}"; filename="mé %22x%22.jpg"`,
      "content-type: image/jpeg",
    ],
  },
];

const image = makeImage({ type: "png", sizeInBytes: 5000 }, 0x0d);
const fields = {
  livenessOperationMode: "Passive",
  deviceCorrelationIdSetInClient: false,
  authTokenTimeToLiveInSeconds: 900,
};

describe("forms of other HTTP libraries", async () => {
  const { app } = await openStack();

  const send = (path: string, { contentType }: Style, parts: [string[], string | Buffer][]) => {
    const boundary = "----a-boundary_7";
    const body = Buffer.concat([
      ...parts.flatMap(([headers, content]) => [
        Buffer.from(`--${boundary}\r\n${headers.join("\r\n")}\r\n\r\n`),
        Buffer.from(content),
        Buffer.from("\r\n"),
      ]),
      Buffer.from(`--${boundary}--\r\n`),
    ]);
    return app.send(path, { method: "POST", body, headers: { "content-type": contentType(boundary) } });
  };

  for (const style of styles) {
    for (const dialect of dialects) {
      test(`${style.library} in ${dialect.version}`, async () => {
        const path = dialect.sessions("livenessWithVerify");
        const deviceCorrelationId = `Gerät ${randomUUID()}`;
        const asked = dialect.fields({ ...fields, deviceCorrelationId });
        const textParts: [string[], string][] = dialect.isPreview
          ? [[style.field("Parameters", "application/json"), JSON.stringify(asked)]]
          : Object.entries(asked).map(([name, value]) => [style.field(name, undefined), String(value)]);
        const imageName = dialect.isPreview ? "VerifyImage" : "verifyImage";
        for (const parts of [
          [...textParts, [style.file(imageName), image]],
          [[style.file(imageName), image], ...textParts],
        ] as [string[], string | Buffer][][]) {
          const answer = await send(path, style, parts);
          assert.equal(answer.status, 200, JSON.stringify(answer.body));
          const { sessionId } = dialect.readCreated("livenessWithVerify", answer.body);
          const session = await app.session(sessionId);
          assert.equal(session.deviceCorrelationId, deviceCorrelationId);
          assert.equal(Date.parse(session.tokenExpiresOn) - Date.parse(session.createdOn), 900_000);
          const kept = await app.send(`api/reference-images/${session.referenceImageId}/metadata`);
          assert.partialDeepStrictEqual(kept.body, { sha256: createHash("sha256").update(image).digest("hex") });
        }
        const withoutName = style
          .file(imageName)
          .map((header) => header.replace(/; filename\*?=("[^\r]*"|[^;]*)/g, ""));
        assertError(await send(path, style, [...textParts, [withoutName, image]]), 400, "InvalidRequestBody");
        // The device submits the image; a form of the older previews must contain one.
        const withoutImage = await send(path, style, textParts);
        if (dialect.isPreview) assertError(withoutImage, 400, "InvalidRequestBody");
        else assert.equal(withoutImage.status, 200, JSON.stringify(withoutImage.body));
      });
    }
  }
});

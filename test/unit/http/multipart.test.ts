import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { ApiError } from "../../../src/errors.ts";
import type { BodyPart } from "../../../src/face/codec.ts";
import { readRequestBody } from "../../../src/http/body.ts";

const invalid = {
  name: "ApiError",
  status: 400,
  code: "InvalidRequestBody",
  details: [
    {
      code: "InvalidMultipart",
      message: "The body is not multipart/form-data with a name on every part.",
      target: "body",
    },
  ],
};

const form = "multipart/form-data; boundary=x";
const end = "--x--\r\n";

/** One part: its header lines and its content. */
const part = (headers: string, content = "content") => `--x\r\n${headers}\r\n\r\n${content}\r\n`;
const field = (name: string, content?: string) => part(`Content-Disposition: form-data; name="${name}"`, content);

function read(content: string | Uint8Array<ArrayBuffer>, contentType = form) {
  const { body } = new Response(content);
  return readRequestBody({ headers: new Headers({ "content-type": contentType }), body }, ["json", "multipart"]);
}

async function partsOf(content: string | Uint8Array<ArrayBuffer>, contentType = form): Promise<BodyPart[]> {
  const body = await read(content, contentType);
  return body.type === "multipart" ? body.parts : assert.fail("no form");
}

describe("a form", () => {
  test("is taken apart into fields and files", async () => {
    const file = part(
      'Content-Disposition: form-data; name="verifyImage"; filename="ä.jpg"\r\nContent-Type: image/jpeg',
    );
    const [mode, image, ...others] = await partsOf(field("livenessOperationMode", "Passive ä") + file + end);
    assert.deepEqual(mode, { name: "livenessOperationMode", content: "Passive ä" });
    assert.deepEqual([image?.name, image?.filename, image?.contentType], ["verifyImage", "ä.jpg", "image/jpeg"]);
    assert.deepEqual(image?.content, new Uint8Array(Buffer.from("content")));
    assert.deepEqual(others, []);
  });

  test("comes from the platform's own client too, bytes unchanged", async () => {
    const bytes = Uint8Array.from({ length: 5000 }, (_, index) => index % 256);
    const data = new FormData();
    data.append("verifyImage", new File([bytes], "face.png", { type: "image/png" }));
    data.append("deviceCorrelationId", "a\r\nb");
    const request = new Response(data);
    const contentType = request.headers.get("content-type") ?? "";
    const [image, device] = await partsOf(Uint8Array.from(await request.bytes()), contentType);
    assert.deepEqual(image?.content, bytes);
    assert.equal(device?.content, "a\r\nb");
  });

  test("may be spelt in many ways", async () => {
    for (const [content, contentType] of [
      [field("a") + end, 'Multipart/Form-Data; Boundary="x"'],
      [field("a") + end, "multipart/form-data; charset=utf-8; boundary=x"],
      [part("content-disposition: form-data;name=a") + end, form],
      [`preamble\r\n${field("a")}${end}epilogue`, form],
      [`${field("a")}--x--`, form],
    ] as const) {
      assert.deepEqual(await partsOf(content, contentType), [{ name: "a", content: "content" }], content);
    }
  });

  test("keeps parts of the same name, for the operation to refuse", async () => {
    assert.deepEqual(await partsOf(field("a", "1") + field("a", "2") + field("__proto__", "3") + end), [
      { name: "a", content: "1" },
      { name: "a", content: "2" },
      { name: "__proto__", content: "3" },
    ]);
  });

  test("tells a file by its file name, even an empty one", async () => {
    const [image] = await partsOf(part('Content-Disposition: form-data; name="verifyImage"; filename=""') + end);
    assert.equal(image?.filename, "");
  });

  for (const [what, content, contentType] of [
    ["nothing", "", form],
    ["no boundary named", field("a") + end, "multipart/form-data"],
    ["an empty boundary", field("a") + end, "multipart/form-data; boundary="],
    ["another boundary", field("a") + end, "multipart/form-data; boundary=y"],
    ["no end", field("a"), form],
    ["an end within a part", '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\ncontent', form],
    ["a part without a name", part("Content-Disposition: form-data") + end, form],
    ["a file without a name", part('Content-Disposition: form-data; filename="a.jpg"') + end, form],
    ["a part without a disposition", part("Content-Type: text/plain") + end, form],
    ["a part of another kind", part('Content-Disposition: attachment; name="a"') + end, form],
    ["a name without its quote", part('Content-Disposition: form-data; name="a') + end, form],
    ["lines that end in LF only", (field("a") + end).replaceAll("\r\n", "\n"), form],
    ["JSON", "{}", form],
  ] as const) {
    test(`is refused with ${what}`, async () => {
      await assert.rejects(read(content, contentType), invalid);
    });
  }

  test("may have 8 MB and not one byte more, whatever follows its end", async () => {
    const form = field("a") + end;
    const whole = (sizeInBytes: number) => form + "\r\n".repeat((sizeInBytes - form.length) / 2);
    const limit = 8 * 1024 * 1024 - (form.length % 2);
    assert.deepEqual(await partsOf(whole(limit)), [{ name: "a", content: "content" }]);
    await assert.rejects(read(whole(limit + 2)), { name: "ApiError", status: 413, code: "RequestBodyTooLarge" });
  });
});

describe("whatever bytes come as", () => {
  async function assertCallersFault(content: Uint8Array<ArrayBuffer>, contentType: string): Promise<void> {
    try {
      await read(content, contentType);
    } catch (error) {
      assert.ok(error instanceof ApiError && error.status >= 400 && error.status < 500, String(error));
    }
  }

  const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from(bytes));

  test("JSON, the error is the caller's", async () => {
    const text = fc.oneof(fc.json(), fc.string({ unit: "binary" })).map((json) => Uint8Array.from(Buffer.from(json)));
    await fc.assert(
      fc.asyncProperty(fc.oneof(noise, text), (bytes) => assertCallersFault(bytes, "application/json")),
      { numRuns: 200 },
    );
  });

  test("a form, the error is the caller's", async () => {
    const piece = fc.oneof(
      fc.constantFrom("--x", "--", "\r\n", "\r\n\r\n", "Content-Disposition: form-data", "; name=", '"', "a", ";", ":"),
      fc.constantFrom(
        '; name="a"',
        '; filename="b"',
        "; filename*=utf-8''%",
        "Content-Type: ",
        "--x--\r\n",
        "\0",
        "\xff",
      ),
    );
    const almost = fc
      .array(piece, { maxLength: 30 })
      .map((pieces) => Uint8Array.from(Buffer.from(pieces.join(""), "latin1")));
    await fc.assert(
      fc.asyncProperty(fc.oneof(noise, almost), (bytes) => assertCallersFault(bytes, form)),
      { numRuns: 500 },
    );
  });

  test("whatever media type, the error is the caller's", async () => {
    const header = fc.string({ unit: "grapheme-ascii" }).map((text) => `multipart/form-data;${text}`);
    await fc.assert(
      fc.asyncProperty(header, (contentType) =>
        assertCallersFault(Uint8Array.from(Buffer.from(field("a") + end)), contentType),
      ),
    );
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { ApiError } from "../../../src/errors.ts";
import type { BodyPart, RequestBody } from "../../../src/face/codec.ts";
import { type BodySource, type MediaType, readBytes, readRequestBody } from "../../../src/http/body.ts";
import { testProperty, testPropertyTimes } from "../property.ts";

const kilobyte = 1024;
const megabyte = 1024 * kilobyte;

/** A body of these chunks, without Content-Length. */
function chunked(chunks: readonly (string | Uint8Array)[], headers: Record<string, string> = {}): BodySource {
  const parts = chunks.map((chunk) => (typeof chunk === "string" ? Buffer.from(chunk) : chunk));
  return { headers: new Headers(headers), body: ReadableStream.from(parts) };
}

const read = (contentType: string, content: string | Uint8Array, accepted: MediaType[] = ["json", "multipart"]) =>
  readRequestBody(chunked([content], { "content-type": contentType }), accepted);
const readJson = (content: string | Uint8Array, contentType = "application/json") => read(contentType, content);

const invalid = { name: "ApiError", status: 400, code: "InvalidRequestBody" };
const wrongMediaType = { name: "ApiError", status: 415, code: "BadArgument", message: "Invalid Media Type." };
const tooLarge = { name: "ApiError", status: 413, code: "RequestBodyTooLarge" };

describe("a body's bytes", () => {
  test("may be empty", async () => {
    assert.equal((await readBytes({ headers: new Headers(), body: null }, 100)).byteLength, 0);
    assert.equal((await readBytes(chunked([]), 100)).byteLength, 0);
  });

  test("are accepted up to the limit", async () => {
    assert.equal((await readBytes(chunked(["12345"]), 5)).byteLength, 5);
    const message = "The request body is larger than 5 bytes.";
    await assert.rejects(readBytes(chunked(["12345", "6"]), 5), { ...tooLarge, message });
  });

  test("above the limit by Content-Length are refused without reading", async () => {
    const { body } = chunked([]);
    await assert.rejects(readBytes({ headers: new Headers({ "content-length": "6" }), body }, 5), tooLarge);
    assert.equal(body?.locked, false);
  });

  test("are counted, regardless of Content-Length", async () => {
    for (const announced of ["1", "-1", "many", ""]) {
      await assert.rejects(readBytes(chunked(["123456"], { "content-length": announced }), 5), tooLarge, announced);
    }
  });

  test("of an endless body are discarded up to a limit only", async () => {
    let pulled = 0;
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    async function* endless() {
      try {
        for (;;) {
          pulled += 1;
          yield Buffer.alloc(megabyte);
        }
      } finally {
        resolve();
      }
    }
    await assert.rejects(readBytes({ headers: new Headers(), body: ReadableStream.from(endless()) }, 5), tooLarge);
    await stopped;
    assert.ok(pulled >= 32 && pulled < 40, `${pulled} megabytes`);
  });

  test("that end early -> InvalidRequestBody", async () => {
    async function* broken() {
      yield Buffer.from("{");
      throw new Error("socket hang up");
    }
    const body = ReadableStream.from(broken());
    const message = "The request body ended early.";
    await assert.rejects(readBytes({ headers: new Headers(), body }, 100), { ...invalid, message });
  });
});

describe("a media type", () => {
  test("of JSON in UTF-8 is accepted in all spellings", async () => {
    for (const contentType of [
      ...["application/json", "Application/JSON", "application/json;charset=utf-8", " application/json ;"],
      ...['application/json; charset="UTF-8"', "application/json; charset=utf8; odata=verbose"],
    ]) {
      assert.deepEqual(await readJson("{}", contentType), { type: "json", value: {} }, contentType);
    }
  });

  test("that is not supported is refused", async () => {
    for (const contentType of [
      ...["", "text/plain", "text/json", "application/jsonp", "application/json, text/plain", "image/jpeg", ";"],
      ...["application/json; charset=latin1", "application/json; charset=utf-16", "application/x-www-form-urlencoded"],
      ...["multipart/mixed; boundary=x", "multipart/form-data-ish; boundary=x"],
    ]) {
      await assert.rejects(readJson("{}", contentType), wrongMediaType, contentType);
    }
    await assert.rejects(readRequestBody(chunked(["{}"]), ["json"]), wrongMediaType);
    // Not accepted by the operation.
    await assert.rejects(read("multipart/form-data; boundary=x", "--x--\r\n", ["json"]), wrongMediaType);
    await assert.rejects(read("application/json", "{}", ["multipart"]), wrongMediaType);
  });
});

describe("a content encoding", () => {
  const reason = { code: "UnsupportedContentEncoding", message: "The body must not be compressed." };
  const unsupported = { ...wrongMediaType, details: [{ ...reason, target: "Content-Encoding" }] };
  const encoded = (encoding: string, type = "application/json", content: string | Uint8Array = "{}") =>
    chunked([content], { "content-type": type, "content-encoding": encoding });

  test("other than identity is refused with its own reason, whether or not the body could be parsed", async () => {
    for (const encoding of ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, identity", "identity, gzip", "x"]) {
      await assert.rejects(readRequestBody(encoded(encoding), ["json"]), unsupported, encoding);
    }
    const form = encoded("gzip", "multipart/form-data; boundary=x", gzipSync("--x--\r\n"));
    await assert.rejects(readRequestBody(form, ["multipart"]), unsupported);
    await assert.rejects(readBytes(encoded("gzip", "image/jpeg", gzipSync("image")), 100), unsupported);
  });

  test("identity is accepted", async () => {
    for (const encoding of ["identity", "Identity", ""]) {
      assert.equal((await readBytes(encoded(encoding), 100)).byteLength, 2, encoding);
    }
  });
});

describe("JSON", () => {
  const jsonOf = async (content: string | Uint8Array) => {
    const body: RequestBody = await readJson(content);
    return body.type === "json" ? body.value : assert.fail("no JSON");
  };

  test("may be any value", async () => {
    for (const value of [{ a: [1, null, "ä👩"] }, [], "text", 0, null]) {
      assert.deepEqual(await jsonOf(JSON.stringify(value)), value);
    }
    assert.deepEqual(await jsonOf("\ufeff {} \n"), {});
  });

  test("keeps __proto__ as an ordinary field", async () => {
    const value = await jsonOf('{"__proto__":{"polluted":true}}');
    assert.deepEqual(Object.keys(value ?? {}), ["__proto__"]);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal("polluted" in {}, false);
  });

  test("is refused if it is invalid", async () => {
    const details = [{ code: "InvalidJson", message: "The body is not JSON in UTF-8.", target: "body" }];
    const texts = ["", " ", "{", "{}{}", "{'a':1}", "{a:1}", "undefined", "NaN", '"\u0001"', "\0", '{"a":1,}'];
    for (const content of texts) {
      await assert.rejects(readJson(content), { ...invalid, details }, JSON.stringify(content));
    }
  });

  test("is refused if it is not UTF-8", async () => {
    for (const bytes of [
      Buffer.from('{"a":"ä"}', "latin1"),
      Buffer.from('{"a":"b"}', "utf16le"),
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
    ]) {
      await assert.rejects(readJson(bytes), invalid);
    }
  });

  test("may have up to 32 levels", async () => {
    const details = [{ code: "InvalidJson", message: "The JSON has more than 32 levels.", target: "body" }];
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
      ['[{"a":', "}]"],
    ] as const) {
      const nested = (levels: number) => {
        const times = levels / (open.split(/[[{]/).length - 1);
        return `${open.repeat(times)}1${close.repeat(times)}`;
      };
      await readJson(nested(32));
      for (const text of [nested(34), `[${nested(32)}]`, `[[],${nested(32)}]`]) {
        await assert.rejects(readJson(text), { ...invalid, details }, text);
      }
    }
    await assert.rejects(readJson("[".repeat(60_000)), { ...invalid, details });
  });

  test("may have any number of adjacent brackets, and brackets in strings", async () => {
    for (const value of [
      Array.from({ length: 1000 }, () => [{}]),
      "[".repeat(100),
      { ["{".repeat(100)]: `"${"[".repeat(100)}\\` },
      ["\\", '"', "[".repeat(100)],
    ]) {
      assert.deepEqual(await jsonOf(JSON.stringify(value)), value);
    }
  });

  test("may have up to 64 KB", async () => {
    const text = (sizeInBytes: number) => `"${"a".repeat(sizeInBytes - 2)}"`;
    assert.equal(String(await jsonOf(text(64 * kilobyte))).length, 64 * kilobyte - 2);
    await assert.rejects(readJson(text(64 * kilobyte + 1)), tooLarge);
  });
});

describe("a form", () => {
  const end = "--x--\r\n";
  const field = (name: string, content: string) =>
    `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;
  const partsOf = async (content: string, contentType = "multipart/form-data; boundary=x"): Promise<BodyPart[]> => {
    const body = await read(contentType, content);
    return body.type === "multipart" ? body.parts : assert.fail("not a form");
  };
  const message = "The body is not multipart/form-data with a name on every part.";
  const noForm = { ...invalid, details: [{ code: "InvalidMultipart", message, target: "body" }] };

  for (const parameters of ["; boundary=x", '; Boundary="x"', "; charset=utf-8; boundary=x"]) {
    test(`is parsed with its boundary: ${parameters}`, async () => {
      const content = field("a", "b") + end;
      assert.deepEqual(await partsOf(content, `Multipart/Form-Data${parameters}`), [{ name: "a", content: "b" }]);
    });
  }

  test("may have a boundary of up to 70 ASCII characters", async () => {
    const parse = (boundary: string) => {
      const content = `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n--${boundary}--`;
      return partsOf(content, `multipart/form-data; boundary="${boundary}"`);
    };
    for (const boundary of ["y", "'()+_,-./:=? z", "-".repeat(70)]) {
      assert.deepEqual(await parse(boundary), [{ name: "a", content: "" }]);
    }
    for (const boundary of ["", "y".repeat(71), "\u00e4"]) await assert.rejects(parse(boundary), noForm);
  });

  test("keeps parts of the same name, which the operation refuses", async () => {
    const names = ["a", "a", "__proto__"];
    const expected = names.map((name) => ({ name, content: "b" }));
    assert.deepEqual(await partsOf(names.map((name) => field(name, "b")).join("") + end), expected);
  });

  for (const [what, content, parameters] of [
    ["without a boundary", field("a", "b") + end, ""],
    ["with an empty boundary", field("a", "b") + end, "; boundary="],
    ["with another boundary", field("a", "b") + end, "; boundary=y"],
    ["without an end", field("a", "b"), "; boundary=x"],
    ["with LF in place of CRLF", (field("a", "b") + end).replaceAll("\r", ""), "; boundary=x"],
    ["that is empty", "", "; boundary=x"],
    ["that is JSON", "{}", "; boundary=x"],
  ] as const) {
    test(`${what} is refused`, async () => {
      await assert.rejects(read(`multipart/form-data${parameters}`, content), noForm);
    });
  }

  test("may have up to 8 MB, including an epilogue", async () => {
    const form = field("a", "b") + end;
    const limit = 8 * megabyte;
    assert.deepEqual(await partsOf(form.padEnd(limit, "\n")), [{ name: "a", content: "b" }]);
    await assert.rejects(partsOf(form.padEnd(limit + 1, "\n")), tooLarge);
  });
});

describe("arbitrary input", () => {
  async function assertRefusedOrRead(contentType: string, content: Uint8Array): Promise<void> {
    try {
      await read(contentType, content);
    } catch (error) {
      assert.ok(error instanceof ApiError && [400, 413, 415].includes(error.status), String(error));
    }
  }

  const text = fc.oneof(fc.json(), fc.string({ unit: "binary" })).map((json) => Buffer.from(json));
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), text);
  testPropertyTimes(200, "as JSON is read or refused", [bytes], (content) =>
    assertRefusedOrRead("application/json", content),
  );

  testProperty("as media type is accepted or refused", [fc.string({ unit: "grapheme-ascii" })], (parameters) =>
    assertRefusedOrRead(`multipart/form-data;${parameters}`, Buffer.from("--x--")),
  );
});

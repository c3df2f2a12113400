import assert from "node:assert/strict";
import { afterEach, describe, mock, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { ApiError } from "../../../src/errors.ts";
import { type BodySink, type BodySource, readBody, readBytes, readRequestBody } from "../../../src/http/body.ts";
import { testProperty } from "../property.ts";

const megabyte = 1024 * 1024;

function source(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
  return { headers: new Headers(), body: ReadableStream.from(chunks) };
}

/** Sends one byte and then nothing. */
function silent(headers: Record<string, string> = {}) {
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Buffer.from("{")),
    cancel: () => resolve(),
  });
  return { headers: new Headers(headers), body, stopped };
}

/** Sends a chunk at each turn of the event loop, endlessly. */
async function* drip(): AsyncGenerator<Uint8Array> {
  for (;;) {
    yield Buffer.alloc(1000);
    await nextTurn();
  }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const timeout = { name: "ApiError", status: 408, code: "RequestTimeout" };

/** The value of a promise, or the code of its error; undefined while it is pending. */
function watch(promise: Promise<unknown>) {
  const seen: { value?: unknown } = {};
  promise.then(
    (value) => Object.assign(seen, { value }),
    (error: unknown) => Object.assign(seen, { value: error instanceof ApiError ? error.code : error }),
  );
  return async () => {
    await nextTurn();
    return seen.value;
  };
}

describe("a body that does not arrive in time", () => {
  afterEach(() => mock.timers.reset());

  const readers: [what: string, contentType: string, read: (body: BodySource) => Promise<unknown>][] = [
    ["bytes", "", (body) => readBytes(body, megabyte)],
    ["JSON", "application/json", (body) => readRequestBody(body, ["json"])],
    ["a form", "multipart/form-data; boundary=x", (body) => readRequestBody(body, ["multipart"])],
  ];
  for (const [what, contentType, read] of readers) {
    test(`${what}: 408 after 30 seconds; reading stops 5 seconds later`, async () => {
      mock.timers.enable({ apis: ["setTimeout"] });
      const request = silent({ "content-type": contentType });
      const outcome = watch(read(request));
      const stopped = watch(request.stopped.then(() => true));
      mock.timers.tick(29_999);
      assert.equal(await outcome(), undefined);
      mock.timers.tick(1);
      assert.equal(await outcome(), "RequestTimeout");
      mock.timers.tick(4999);
      assert.equal(await stopped(), undefined);
      mock.timers.tick(1);
      assert.equal(await stopped(), true);
    });
  }

  test("408 even if bytes keep arriving", async () => {
    const message = "The request body did not arrive in full within 0.005 seconds.";
    await assert.rejects(readBytes(source(drip()), 1e9, 5), { ...timeout, message });
  });

  test("a body that arrives in time leaves no timer", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const cancel = mock.method(ReadableStreamDefaultReader.prototype, "cancel");
    assert.equal((await readBytes(source([Buffer.from("ab")]), 10)).byteLength, 2);
    await assert.rejects(readBytes(source([Buffer.from("ab")]), 1), { status: 413 });
    await nextTurn();
    mock.timers.tick(60_000);
    assert.equal(cancel.mock.callCount(), 0);
    cancel.mock.restore();
  });
});

describe("a refused body", () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage: () => void = runInNewContext("gc");
  const noSink = (error: Error): BodySink<void> => ({
    take() {
      throw error;
    },
    end: () => assert.fail("the end of a refused body"),
  });

  test("is refused immediately, without waiting for the rest", async () => {
    const body = readBody(silent(), megabyte, () => noSink(new ApiError(400, "Refused", "Refused.")));
    await assert.rejects(body, { code: "Refused" });
  });

  test("releases its chunks while the rest arrives", async () => {
    let first: WeakRef<Uint8Array> | undefined;
    const isFree: boolean[] = [];
    const { promise: done, resolve } = Promise.withResolvers<void>();
    async function* chunks() {
      for (let index = 0; index < 4; index += 1) {
        const chunk = new Uint8Array(40);
        first ??= new WeakRef(chunk);
        yield chunk;
        await nextTurn();
        collectGarbage();
        isFree.push(first.deref() === undefined);
      }
      resolve();
    }
    await assert.rejects(readBytes(source(chunks()), 100), { code: "RequestBodyTooLarge" });
    await done;
    // The third chunk exceeds the limit.
    assert.deepEqual(isFree, [false, false, true, true]);
  });

  test("releases its chunks after a timeout", async () => {
    let first: WeakRef<Uint8Array> | undefined;
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (sent === 2) await new Promise(() => undefined);
        sent += 1;
        const chunk = new Uint8Array(40);
        first ??= new WeakRef(chunk);
        controller.enqueue(chunk);
      },
    });
    await assert.rejects(readBytes({ headers: new Headers(), body }, 100, 5), timeout);
    await nextTurn();
    collectGarbage();
    assert.deepEqual([sent, first?.deref()], [2, undefined]);
  });

  test("is not passed to the sink any more, and the sink's error is thrown", async () => {
    const sink = noSink(new TypeError("a bug"));
    const take = mock.method(sink, "take");
    const chunks = Array.from({ length: 10 }, () => new Uint8Array(1000));
    const body = readBody(source(chunks), megabyte, () => sink);
    await assert.rejects(body, TypeError);
    await nextTurn();
    assert.equal(take.mock.callCount(), 1);
  });
});

describe("a body in tiny chunks", () => {
  const refused = { status: 400, code: "InvalidRequestBody", message: "The chunks of the request body are too small." };
  function* pieces(number: number, sizeInBytes: number) {
    for (let index = 0; index < number; index += 1) yield new Uint8Array(sizeInBytes);
  }

  test("is accepted if it is short, or with chunks of the smallest usual packet size", async () => {
    assert.equal((await readBytes(source(pieces(1000, 1)), megabyte)).byteLength, 1000);
    assert.equal((await readBytes(source(pieces(10_000, 536)), 6 * megabyte)).byteLength, 5_360_000);
  });

  test("is refused", async () => {
    for (const size of [0, 1, 16, 100]) {
      await assert.rejects(readBytes(source(pieces(2000, size)), 20 * megabyte), refused, `${size} bytes`);
    }
  });
});

const anyChunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 50 });
testProperty("the division of a body into chunks makes no difference", [anyChunks], async (chunks) => {
  const whole = Buffer.concat(chunks);
  assert.deepEqual(Buffer.from(await readBytes(source(chunks), 2000)), whole);
  await assert.rejects(readBytes(source([...chunks, new Uint8Array(1)]), whole.length), { status: 413 });
});

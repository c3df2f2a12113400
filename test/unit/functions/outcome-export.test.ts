import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { exportOutcomes } from "../../../src/functions/outcome-export.ts";
import { createApp, plus, type Sent } from "../fakes/app.ts";
import { asOf, linesOf, list, reviewer, shown, worldWith } from "../fakes/outcome-requests.ts";
import { outcome, outcomes } from "../fakes/outcomes.ts";

describe("an export", () => {
  const as = (accept: string, sent: Sent = reviewer) => plus(sent, { headers: { accept } });

  test("as lines of JSON -> the whole window, whatever `top` and the token are", async () => {
    const world = await worldWith(outcomes(350));
    const { headers, text } = await list(world, "?top=1&continuationToken=x", as("application/x-ndjson"));
    assert.equal(headers.get("content-type"), "application/x-ndjson; charset=utf-8");
    assert.equal(headers.get("content-disposition"), 'attachment; filename="outcomes-2026-01-29-2026-03-01.ndjson"');
    assert.equal(headers.get("x-as-of"), asOf);
    assert.equal(headers.get("vary"), "accept");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("content-length"), null);
    assert.ok(text.endsWith("\n"));
    assert.deepEqual(linesOf(text), outcomes(350).map(shown));
  });

  test("as CSV -> byte order mark, header, rows that end with CRLF, quoted where necessary", async () => {
    const tricky = outcome(1, {
      clientReferenceId: 'a "b", c\r\nd',
      reasons: ["RealFace", "FaceMatched"],
      final: false,
    });
    const { headers, text } = await list(await worldWith([outcome(0), tricky]), "?decision=accepted", as("text/csv"));
    assert.equal(headers.get("content-type"), "text/csv; charset=utf-8; header=present");
    const [zero, one] = [outcome(0), tricky];
    assert.equal(
      text,
      "\ufeffsessionId,kind,apiVersion,deviceCorrelationId,userCorrelationId,clientReferenceId,owner,createdOn,settledOn,decision,reasons,final,revision\r\n" +
        `${zero.sessionId},liveness,v1.2,a-device,,,,${zero.createdOn},${zero.settledOn},accepted,RealFace,true,1\r\n` +
        `${one.sessionId},liveness,v1.2,a-device,,"a ""b"", c\r\nd",,${one.createdOn},${one.settledOn},accepted,RealFace FaceMatched,false,1\r\n`,
    );
  });

  for (const cell of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "＝1"]) {
    test(`cell ${JSON.stringify(cell)} -> not a formula`, async () => {
      const entry = outcome(0, { clientReferenceId: cell, userCorrelationId: cell, deviceCorrelationId: cell });
      const { text } = await list(await worldWith([entry]), "", as("text/csv"));
      const escaped = `'${cell}`;
      const written = /[",\r\n]/.test(escaped) ? `"${escaped.replaceAll('"', '""')}"` : escaped;
      assert.ok(text.includes(`,${written},${written},${written},`), JSON.stringify(text));
    });
  }

  for (const cell of ["a\r=1+1", "a\n=1+1", "a\r\n=1+1", "\n=1+1"]) {
    test(`cell ${JSON.stringify(cell)} -> quoted, so that no row begins within it`, async () => {
      const { text } = await list(await worldWith([outcome(0, { clientReferenceId: cell })]), "", as("text/csv"));
      assert.ok(text.includes(`,"${cell}",`), JSON.stringify(text));
    });
  }

  test("without outcomes -> an empty body, or the header alone", async () => {
    const world = await worldWith([]);
    assert.equal((await list(world, "", as("application/x-ndjson"))).text, "");
    assert.match((await list(world, "", as("text/csv"))).text, /^\ufeffsessionId,[\w,]+\r\n$/);
  });

  test("more than eight at once -> 503 ServerBusy until one of them ends, whichever way", async () => {
    const world = await worldWith(outcomes(3));
    const app = createApp(world.start());
    const query = { from: "2026-03-01T00:00:00.000Z", to: "2026-03-02T00:00:00.000Z" };
    const begin = async () => {
      const { stream } = await exportOutcomes(app, query, "application/x-ndjson", false);
      return (stream ?? assert.fail())[Symbol.asyncIterator]();
    };
    const running = await Promise.all(Array.from({ length: 8 }, begin));
    const [first = assert.fail(), second = assert.fail()] = running;
    await assert.rejects(begin(), { status: 503, code: "ServerBusy", retryAfter: "1" });
    while (!(await first.next()).done);
    running.push(await begin());
    await second.next();
    await second.return?.();
    running.push(await begin());
    await assert.rejects(begin(), { code: "ServerBusy" });
    for (const stream of running) while (!(await stream.next()).done);
  });
});

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { exportOutcomes } from "../../../src/functions/outcome-export.ts";
import type { OutcomeEntry } from "../../../src/liveness/model/events.ts";
import { call, createApp, plus, type Sent, send, service, user } from "../fakes/app.ts";
import { failOn } from "../fakes/calls.ts";
import { openIndexes, outcome, outcomes } from "../fakes/outcomes.ts";
import { clientKey, ownerOf } from "../fakes/principals.ts";
import { createWorld, startOfTime, type World } from "../fakes/world.ts";

const reviewer = user("rita", "Liveness.Reviewer");

/** The time up to which the outcomes of `worldWith` are complete. */
const asOf = "2026-03-01T11:55:00.000Z";

/** A world with these outcomes, a second after the start of time. */
async function worldWith(entries: readonly OutcomeEntry[]): Promise<World> {
  const { world, index } = openIndexes();
  world.advance({ seconds: 1 });
  await index.put(entries);
  await index.setCompleteTo(asOf);
  return world;
}

const list = (world: World, query = "", sent: Sent = reviewer) =>
  send(world, "GET", "/api/outcomes", { ...sent, query });

/** The values of an export as lines of JSON. */
function linesOf(text: string): unknown[] {
  const lines = text.trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

/** The resource of an outcome. */
const shown = ({ creationId: _, place: __, ...resource }: OutcomeEntry) => resource;

describe("access", () => {
  for (const path of ["/api/outcomes", "/api/statistics"]) {
    for (const accept of ["application/json", "text/csv", "application/x-ndjson"]) {
      test(`${path} as ${accept} -> services and reviewers only; 404 for users, 401 without authentication`, async () => {
        const world = await worldWith(outcomes(3));
        const as = (sent: Sent) => send(world, "GET", path, plus(sent, { headers: { accept } }));
        for (const sent of [service, reviewer, user("worker", "Liveness.Service")]) {
          assert.equal((await as(sent)).status, 200);
        }
        for (const sent of [user("mallory"), user("mallory", "Reviewer", "liveness.reviewer")]) {
          const refused = await as(sent);
          assert.deepEqual([refused.status, refused.code], [404, "ResourceNotFound"]);
          assert.doesNotMatch(refused.text, /5e551011/);
        }
        assert.equal((await as({})).status, 401);
      });
    }
  }

  test("a reviewer is an ordinary user on all other routes", async () => {
    const world = await worldWith(outcomes(3));
    assert.equal((await send(world, "GET", "/api/devices/a-device/outcomes", reviewer)).status, 404);
    const opened = await send(world, "POST", "/face/v1.2/detectLiveness-sessions", {
      ...reviewer,
      json: { livenessOperationMode: "Passive", deviceCorrelationId: "ritas-device" },
    });
    assert.equal(opened.status, 200);
    assert.equal(world.record().owner, ownerOf("rita"));
  });
});

describe("a page", () => {
  test("has the fields of outcomes, neither creation id nor place, and the time to which it is complete", async () => {
    const entry = outcome(1, { userCorrelationId: "u", clientReferenceId: "r", reasons: ["RealFace", "FaceMatched"] });
    const stored = { ...entry, clientDigest: "a-digest" };
    const { json } = await list(await worldWith([stored, outcome(2)]));
    assert.deepEqual(json, { value: [shown(entry), shown(outcome(2))], asOf });
    assert.deepEqual((await list(createWorld())).json, { value: [] }, "before the first run of the timer");
  });

  test("links lead through all pages, with the window of the first although time goes on", async () => {
    const world = await worldWith(outcomes(7));
    const seen: unknown[] = [];
    let query: string | undefined = "?top=3&kind=liveness";
    let pages = 0;
    while (query !== undefined) {
      const { json, status } = await list(world, query);
      const { value, nextLink } = json as { value: unknown[]; nextLink?: string };
      assert.equal(status, 200);
      seen.push(...value);
      query = nextLink && new URL(nextLink).search;
      pages += 1;
      world.advance({ minutes: 1 });
    }
    assert.deepEqual([seen, pages], [outcomes(7).map(shown), 3]);
  });

  test("each condition -> only the outcomes that meet it", async () => {
    const special: Partial<OutcomeEntry> = {
      ...{ decision: "rejected", reasons: ["SpoofDetected", "AbuseDetected"], kind: "livenessWithVerify" },
      ...{ apiVersion: "v1.3-preview.1", clientReferenceId: "o'hara", userCorrelationId: "ä/👤", final: false },
    };
    const world = await worldWith([outcome(0), outcome(1, special), outcome(2)]);
    const conditions: [string, string][] = [
      ["decision", "rejected"],
      ["reason", "AbuseDetected"],
      ["kind", "livenessWithVerify"],
      ["apiVersion", "v1.3-preview.1"],
      ["clientReferenceId", "o'hara"],
      ["userCorrelationId", "ä/👤"],
      ["final", "false"],
    ];
    for (const condition of [...conditions.map((one) => [one]), conditions]) {
      const { json } = await list(world, `?${new URLSearchParams(condition)}`);
      assert.deepEqual(json, { value: [shown(outcome(1, special))], asOf }, String(condition));
    }
  });

  test("times with an offset, and a window within a day", async () => {
    const world = await worldWith(outcomes(10));
    const query = new URLSearchParams({ from: "2026-03-01T12:52:00+01:00", to: "2026-03-01T11:55:00Z" });
    assert.deepEqual((await list(world, `?${query}`)).json, { value: outcomes(9).slice(6).map(shown), asOf });
    const longest = "?from=2026-01-29T00:00:00Z&to=2026-03-01T00:00:00Z";
    assert.equal((await list(world, longest)).status, 200, "31 days");
  });

  for (const [query, target] of [
    ["from=2026-03-01", "from"],
    ["from=2026-03-01T00:00:00", "from"],
    ["from=yesterday", "from"],
    ["from=1969-12-31T23:59:59Z", "from"],
    ["from=2026-03-01T13:00:00Z&to=2026-03-01T12:00:00Z", "from"],
    ["from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00.001Z", "from"],
    ["from=2020-01-01T00:00:00Z", "from"],
    ["to=9999-01-01T00:00:00Z", "to"],
    ["to=", "to"],
    ["decision=maybe", "decision"],
    ["reason=Bored", "reason"],
    ["kind=all", "kind"],
    ["apiVersion=v9", "apiVersion"],
    ["clientReferenceId=", "clientReferenceId"],
    [`clientReferenceId=${"a".repeat(129)}`, "clientReferenceId"],
    ["userCorrelationId=", "userCorrelationId"],
    ["final=yes", "final"],
    ["top=0", "top"],
    ["top=101", "top"],
    ["continuationToken=x", undefined],
  ] as const) {
    test(`?${query.slice(0, 60)} -> 400`, async () => {
      const world = await worldWith([]);
      const isWindow = target === "from" || target === "to";
      for (const path of ["/api/outcomes", ...(isWindow ? ["/api/statistics"] : [])]) {
        const refused = await send(world, "GET", path, { ...reviewer, query: `?${query}` });
        assert.deepEqual([refused.status, refused.code], [400, "BadArgument"]);
        const { error } = refused.json as { error: { details?: { target: string }[] } };
        assert.equal(error.details?.[0]?.target, target);
      }
    });
  }
});

describe("outcomes past their retention", () => {
  const retention = 90 * 86_400_000;
  const ages = [retention - 60_000, retention - 1, retention + 1, retention + 60_000];

  async function arrange() {
    const { world, index } = openIndexes();
    const entries = ages.map((age, number) =>
      outcome(number, { createdOn: new Date(startOfTime - age).toISOString() }),
    );
    await index.put(entries);
    const window = new URLSearchParams({ from: "2025-11-25T00:00:00Z", to: "2025-12-05T00:00:00Z" });
    return { world, shownOnes: entries.slice(0, 2).map(shown), query: `?${window}` };
  }

  test("are neither listed, nor linked to, nor exported, nor counted", async () => {
    const { world, shownOnes, query } = await arrange();
    assert.deepEqual((await list(world, query)).json, { value: shownOnes });
    const { json } = await list(world, `${query}&top=2`);
    const { nextLink } = json as { nextLink?: string };
    if (nextLink !== undefined) {
      assert.deepEqual((await list(world, new URL(nextLink).search)).json, { value: [] });
    }
    const before = "?from=2025-11-01T00:00:00Z&to=2025-11-30T00:00:00Z&top=1";
    assert.deepEqual((await list(world, before)).json, { value: [] }, "a window before all shown outcomes");
    const exported = await list(world, query, plus(reviewer, { headers: { accept: "application/x-ndjson" } }));
    assert.deepEqual(linesOf(exported.text), shownOnes);
    const counted = await send(world, "GET", "/api/statistics", { ...reviewer, query });
    assert.equal((counted.json as { total: { outcomes: number } }).total.outcomes, 2);
  });
});

test("statistics: counts by day, decision and reason, and totals", async () => {
  const world = await worldWith([
    outcome(0, { reasons: ["RealFace", "FaceMatched"] }),
    outcome(1),
    outcome(2, { decision: "rejected", reasons: ["SpoofDetected"] }),
    outcome(3, { decision: "inconclusive", reasons: [], createdOn: "2026-02-27T23:59:59.999Z" }),
    outcome(4, { createdOn: "2026-02-28T00:00:00.000Z" }),
  ]);
  const query = "?from=2026-02-27T00:00:00Z&to=2026-03-02T00:00:00Z";
  const counted = (outcomes: number, reasons = {}) => ({ outcomes, reasons });
  const [none, spoof] = [counted(0), counted(1, { SpoofDetected: 1 })];
  const all = { accepted: counted(3, { RealFace: 3, FaceMatched: 1 }), rejected: spoof, inconclusive: counted(1) };
  const third = { accepted: counted(2, { RealFace: 2, FaceMatched: 1 }), rejected: spoof, inconclusive: none };
  const second = { accepted: counted(1, { RealFace: 1 }), rejected: none, inconclusive: none };
  const first = { accepted: none, rejected: none, inconclusive: counted(1) };
  const { json } = await send(world, "GET", "/api/statistics", { ...reviewer, query });
  assert.deepEqual(json, {
    from: "2026-02-27T00:00:00.000Z",
    to: "2026-03-02T00:00:00.000Z",
    total: { outcomes: 5, decisions: all },
    days: [
      { day: "2026-03-01", outcomes: 3, decisions: third },
      { day: "2026-02-28", outcomes: 1, decisions: second },
      { day: "2026-02-27", outcomes: 1, decisions: first },
    ],
    asOf,
  });
});

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

  const formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "＝1"];
  for (const [cell, text] of [
    ...formulas.map((cell) => [cell, `'${cell.replace(/[\t\r](?==)/, "$&'")}`] as const),
    ...["a\r=1+1", "a\n=1+1", "a\r\n=1+1", "\n=1+1"].map((cell) => [cell, cell.replace("=", "'=")] as const),
  ]) {
    test(`cell ${JSON.stringify(cell)} -> not a formula, and no row begins within it`, async () => {
      const entry = outcome(0, { clientReferenceId: cell, userCorrelationId: cell, deviceCorrelationId: cell });
      const exported = (await list(await worldWith([entry]), "", as("text/csv"))).text;
      const written = /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
      assert.ok(exported.includes(`,${written},${written},${written},`), JSON.stringify(exported));
    });
  }

  test("without outcomes -> an empty body, or the header alone; HEAD -> the headers of GET", async () => {
    const world = await worldWith([]);
    assert.equal((await list(world, "", as("application/x-ndjson"))).text, "");
    const get = await list(world, "", as("text/csv"));
    assert.match(get.text, /^\ufeffsessionId,[\w,]+\r\n$/);
    const head = await send(world, "HEAD", "/api/outcomes", as("text/csv"));
    assert.deepEqual([head.status, head.text, [...head.headers]], [200, "", [...get.headers]]);
  });

  test("storage is unavailable from the beginning -> an error, not a broken stream", async () => {
    const world = await worldWith(outcomes(3));
    const app = createApp(world.start(failOn("outcomes.query")), clientKey.settings);
    const refused = await call({ app }, "GET", "/api/outcomes", as("text/csv"));
    assert.deepEqual([refused.status, refused.code], [500, "InternalServerError"]);
  });

  test("more than eight at once -> 503 ServerBusy until one of them ends, whichever way", async () => {
    const app = createApp((await worldWith(outcomes(3))).start());
    const query = { from: "2026-03-01T00:00:00.000Z", to: "2026-03-02T00:00:00.000Z" };
    const begin = async () => {
      const request = { caller: { trusted: false, owner: randomUUID() }, headOnly: false };
      const { stream } = await exportOutcomes(app, query, "application/x-ndjson", request);
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

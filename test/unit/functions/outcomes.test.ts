import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { OutcomeEntry } from "../../../src/liveness/model/events.ts";
import { plus, type Sent, send, service, user } from "../fakes/app.ts";
import { asOf, linesOf, list, reviewer, shown, worldWith } from "../fakes/outcome-requests.ts";
import { openIndexes, outcome, outcomes } from "../fakes/outcomes.ts";
import { ownerOf } from "../fakes/principals.ts";
import { startOfTime } from "../fakes/world.ts";

const dayMs = 86_400_000;

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
    const device = await send(world, "GET", "/api/devices/a-device/outcomes", reviewer);
    assert.equal(device.status, 404);
    assert.equal((await send(world, "DELETE", "/api/devices/a-device", reviewer)).status, 404);
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
  });

  test("before the first run of the timer -> no `asOf`", async () => {
    const { world } = openIndexes();
    assert.deepEqual((await list(world)).json, { value: [] });
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
      const refused = await list(await worldWith([]), `?${query}`);
      assert.deepEqual([refused.status, refused.code], [400, "BadArgument"]);
      const { error } = refused.json as { error: { details?: { target: string }[] } };
      assert.equal(error.details?.[0]?.target, target);
    });
  }

  test("a window of exactly 31 days -> accepted", async () => {
    const query = "?from=2026-01-29T00:00:00Z&to=2026-03-01T00:00:00Z";
    assert.equal((await list(await worldWith([]), query)).status, 200);
  });
});

describe("outcomes past their retention", () => {
  const retention = 90 * dayMs;
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
    const exported = await list(world, query, plus(reviewer, { headers: { accept: "application/x-ndjson" } }));
    assert.deepEqual(linesOf(exported.text), shownOnes);
    const counted = await send(world, "GET", "/api/statistics", { ...reviewer, query });
    assert.equal((counted.json as { total: { outcomes: number } }).total.outcomes, 2);
  });

  test("a window before all shown outcomes -> an empty last page", async () => {
    const { world } = await arrange();
    const { json } = await list(world, "?from=2025-11-01T00:00:00Z&to=2025-11-30T00:00:00Z&top=1");
    assert.deepEqual(json, { value: [] });
  });
});

describe("statistics", () => {
  test("counts by day, decision and reason, and totals", async () => {
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

  test("a window of more than 31 days -> 400", async () => {
    const query = "?from=2026-01-01T00:00:00Z";
    const refused = await send(await worldWith([]), "GET", "/api/statistics", { ...reviewer, query });
    assert.deepEqual([refused.status, refused.code], [400, "BadArgument"]);
  });
});

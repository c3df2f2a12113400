import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request as openRequest } from "node:http";
import { buffer, text } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import type * as z from "zod";
import { outcomePageShape, statisticsShape } from "../../infra/openapi/operations/outcomes.ts";
import type { OutcomeEntry } from "../../src/liveness/model/events.ts";
import { connectStorage } from "../../src/storage/azure/table.ts";
import { createTableStores } from "../../src/storage/create-stores.ts";
import { outcome } from "../unit/fakes/outcomes.ts";
import { clientKey, principal } from "../unit/fakes/principals.ts";
import { startProxy } from "./storage/storage-proxy.ts";
import { assertError, createAppClient } from "./support/app-client.ts";
import { openStack } from "./support/open-stack.ts";
import { until } from "./support/until.ts";

const pageShape = outcomePageShape();
const count = 6000;
const day = Date.parse("2026-03-01T00:00:00.000Z");
const window = "from=2026-02-20T00:00:00Z&to=2026-03-02T00:00:00Z";

/** Outcomes of two days, newest first. */
const stored: OutcomeEntry[] = Array.from({ length: count }, (_, number) =>
  outcome(number, {
    createdOn: new Date(day + 3_600_000 - number * 2000).toISOString(),
    clientReferenceId: number === 0 ? '=HYPERLINK("http://a","b")' : `order ${number}`,
    ...(number % 10 === 0 && { decision: "rejected", reasons: ["SpoofDetected"] }),
  }),
);

describe("outcomes of all devices", async () => {
  const { stack, play, control } = await openStack({ env: { ...clientKey.settings, OUTCOME_RETENTION_DAYS: "3650" } });
  const { outcomeIndex } = createTableStores(connectStorage(stack.azurite));
  await outcomeIndex.put(stored);
  const clientOf = (headers: Record<string, string>, url = stack.url) => createAppClient(url, headers);
  const reviewer = clientOf(principal("rita", "Liveness.Reviewer"));
  const service = clientOf(clientKey.headers);

  async function pageOf(query: string, client = reviewer) {
    const answer = await client.send(`api/outcomes?${query}`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return pageShape.parse(answer.body);
  }
  const idsOf = ({ value }: z.infer<typeof pageShape>) => value.map(({ sessionId }) => sessionId);

  /** Begins an export over a connection of its own. */
  async function begin(url: string, accept: string, method = "GET"): Promise<IncomingMessage> {
    const headers = { ...principal("rita", "Liveness.Reviewer"), accept };
    const request = openRequest(`${url}/api/outcomes?${window}`, { method, headers, agent: false }).end();
    const [response] = await once(request, "response");
    return response;
  }

  /** Another process of the app, behind a proxy for its storage. */
  async function behindProxy(t: TestContext) {
    const proxy = await startProxy(t, stack.azurite.connectionString);
    const host = await stack.startAnotherApp({ AzureWebJobsStorage: proxy.connectionString });
    const reads = () => proxy.seen.filter(({ method, path }) => method === "GET" && path.startsWith("/outcomes("));
    return { url: host.url, host, proxy, reads };
  }

  test("a settled session -> listed after the timer's next run, complete up to a minute before it", async () => {
    const opened = await service.openSession(undefined, { clientReferenceId: "a story", userCorrelationId: "u" });
    await play(opened, { scenario: "spoofface" });
    const settled = await service.settle(opened.sessionId);
    const query = "clientReferenceId=a+story";
    await stack.app.runFunction("maintainSessions");
    const { value, asOf, nextLink } = await pageOf(query);
    const { sessionId, deviceCorrelationId } = opened;
    assert.partialDeepStrictEqual(value, [
      { sessionId, deviceCorrelationId, clientReferenceId: "a story", userCorrelationId: "u", decision: "rejected" },
    ]);
    assert.deepEqual([value[0]?.reasons, nextLink], [settled.reasons, undefined]);
    assert.ok(asOf !== undefined && Date.parse(asOf) + 60_000 >= Date.parse(settled.createdOn), asOf);
    assert.deepEqual((await service.send(`api/devices/${deviceCorrelationId}`, { method: "DELETE" })).status, 200);
    assert.deepEqual(idsOf(await pageOf(query)), []);
  });

  test("all pages of a filter -> each outcome once, newest first", async () => {
    const expected = stored.filter(({ decision }) => decision === "rejected").map(({ sessionId }) => sessionId);
    const seen: string[] = [];
    let query: string | undefined = `${window}&decision=rejected&reason=SpoofDetected&top=100`;
    while (query !== undefined) {
      const page: z.infer<typeof pageShape> = await pageOf(query, service);
      seen.push(...idsOf(page));
      query = page.nextLink && new URL(page.nextLink).search.slice(1);
    }
    assert.deepEqual(seen, expected);
  });

  test("callers without the role -> 404, as for an unknown route of a service", async () => {
    for (const path of [`api/outcomes?${window}`, `api/statistics?${window}`]) {
      for (const accept of ["*/*", "text/csv"]) {
        assertError(await clientOf(principal("mallory")).send(path, { headers: { accept } }), 404, "ResourceNotFound");
        assertError(await clientOf({}).send(path, { headers: { accept } }), 401, "Unspecified");
      }
    }
  });

  test("statistics -> the counts of the same outcomes", async () => {
    const answer = await service.send(`api/statistics?${window}`);
    const { total, days } = statisticsShape().parse(answer.body);
    assert.deepEqual(
      days.map(({ day: date, outcomes }) => [date, outcomes]),
      [
        ["2026-03-01", 1801],
        ["2026-02-28", count - 1801],
      ],
    );
    assert.deepEqual(total, {
      outcomes: count,
      decisions: {
        accepted: { outcomes: count * 0.9, reasons: { RealFace: count * 0.9 } },
        rejected: { outcomes: count / 10, reasons: { SpoofDetected: count / 10 } },
        inconclusive: { outcomes: 0, reasons: {} },
      },
    });
  });

  describe("an export", () => {
    test("as lines of JSON -> every outcome of the window", async () => {
      const response = await begin(stack.url, "application/x-ndjson");
      const lines = (await text(response)).split("\n");
      assert.equal(lines.pop(), "");
      const ids = lines.map((line) => JSON.parse(line).sessionId);
      assert.deepEqual(
        ids,
        stored.map(({ sessionId }) => sessionId),
      );
    });

    test("as CSV -> a row for each outcome, and no formula", async () => {
      const response = await begin(stack.url, "text/csv");
      assert.equal(
        response.headers["content-disposition"],
        'attachment; filename="outcomes-2026-02-20-2026-03-02.csv"',
      );
      // `text` would remove the byte order mark.
      const rows = (await buffer(response)).toString().split("\r\n");
      assert.equal(rows.length, count + 2);
      assert.match(rows[0] ?? "", /^\ufeffsessionId,kind,/);
      assert.ok(rows[1]?.includes(`,"'=HYPERLINK(""http://a"",""b"")",`), rows[1]);
      assert.equal(rows.at(-1), "");
    });

    test("HEAD -> the headers of GET and no body", async () => {
      const head = await begin(stack.url, "text/csv", "HEAD");
      const get = await begin(stack.url, "text/csv");
      get.destroy();
      assert.equal(await text(head), "");
      for (const name of ["content-type", "content-disposition", "x-as-of", "vary", "cache-control"]) {
        assert.equal(head.headers[name], get.headers[name], name);
      }
    });

    test("storage fails midway -> the connection breaks, through the host too, and the failure is logged", async (t) => {
      const { url, host, proxy, reads } = await behindProxy(t);
      proxy.inject({ status: 403 }, () => reads().length > 12, 1000);
      const response = await begin(url, "application/x-ndjson");
      assert.equal(response.statusCode, 200);
      await assert.rejects(text(response), { code: "ECONNRESET" });
      assert.ok(proxy.strikes() > 0);
      await until(() => host.output().includes("ResponseInterrupted"));
    });

    test("storage is unavailable from the beginning -> 503", async (t) => {
      const { url, proxy } = await behindProxy(t);
      proxy.inject({ status: 503 }, ({ path }) => path.startsWith("/outcomes"), 1000);
      const answer = await clientOf(clientKey.headers, url).send(`api/outcomes?${window}`, {
        headers: { accept: "text/csv" },
      });
      assertError(answer, 503, "StorageUnavailable");
    });

    test("the reader disconnects -> the rest is not read, and the app serves on", async (t) => {
      const { url, reads } = await behindProxy(t);
      const response = await begin(url, "application/x-ndjson");
      response.destroy();
      const client = clientOf(clientKey.headers, url);
      assert.equal((await client.send("api/health")).status, 200);
      await until(() => reads().every(({ status }) => status !== undefined));
      // All outcomes and the days without any take 48 requests.
      assert.ok(reads().length < 20, String(reads().length));
    });
  });

  test("the clock moves on -> outcomes past their retention are not shown", async () => {
    await control("/clock", { advanceSeconds: 3650 * 86_400 });
    const { value, nextLink } = await pageOf(window);
    assert.deepEqual([value, nextLink], [[], undefined]);
  });
});

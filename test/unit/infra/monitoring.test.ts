import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import * as z from "zod";
import { endpoints } from "../../../src/endpoints.ts";
import { maintenanceSchedule } from "../../../src/functions/maintain-sessions.ts";
import { metrics } from "../../../src/telemetry/telemetry.ts";
import { missing, readDocument } from "../documents.ts";
import { findResource, listFiles } from "./bicep.ts";

const textOf = (path: string) => readDocument(`infra/${path}`);

// Queries are checked with Kusto's own language service, against the columns that Azure Monitor documents for its tables
// (https://learn.microsoft.com/azure/azure-monitor/reference/tables/apprequests and its neighbours).
const common = "TimeGenerated: datetime, OperationName: string, OperationId: string, ParentId: string, Type: string";
const app = "AppRoleName: string, AppRoleInstance: string, Properties: dynamic, Measurements: dynamic, ItemCount: int";
const call = "Id: string, Name: string, Success: bool, ResultCode: string, DurationMs: real, PerformanceBucket: string";
const tables = {
  AppRequests: `${common}, ${app}, ${call}, Url: string, Source: string`,
  AppDependencies: `${common}, ${app}, ${call}, Target: string, DependencyType: string, Data: string`,
  AppMetrics: `${common}, ${app}, Name: string, Sum: real, Min: real, Max: real`,
  AppTraces: `${common}, ${app}, Message: string, SeverityLevel: int`,
  AppExceptions: `${common}, ${app}, ProblemId: string, ExceptionType: string, OuterMessage: string`,
};

const diagnostics = z.object({
  Count: z.number(),
  getItem: z.custom<(index: number) => { Message: string }>((value) => typeof value === "function"),
});

// The package has no types for its loader, which adds a global.
const load = createRequire(import.meta.url);
load("@kusto/language-service-next/bridge.min.js");
load("@kusto/language-service-next/Kusto.Language.Bridge.min.js");
// biome-ignore lint/suspicious/noExplicitAny: translated from C#, with constructors by number.
const language = (globalThis as any).Kusto.Language;
const database = new language.Symbols.DatabaseSymbol.$ctor1(
  "logs",
  Object.entries(tables).map(([name, columns]) => language.Symbols.TableSymbol.From(`(${columns})`).WithName(name)),
  false,
);
const globals = language.GlobalState.Default.WithDatabase(database);

/** Diagnostics of the language service for a query. */
function faultsOfQuery(query: string): string[] {
  const found = language.KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  const { Count: count } = diagnostics.parse(found);
  return Array.from({ length: count }, (_, index) => String(found.getItem(index).Message));
}

test("the checker finds errors", () => {
  assert.equal(faultsOfQuery("AppMetrics | where Sum > 1").length, 0);
  for (const wrong of ["AppMetrics | where Summ > 1", "AppMetric | take 1", "AppMetrics | were Sum > 1"]) {
    assert.ok(faultsOfQuery(wrong).length > 0, wrong);
  }
});

describe("queries", () => {
  const files = listFiles(".kql");
  const workbook = textOf("modules/workbook.bicep");

  for (const path of files) {
    test(`${path} is valid, has a description, and is saved in the workspace`, () => {
      assert.deepEqual(faultsOfQuery(textOf(path)), []);
      assert.match(textOf(path), /^\/\/ .{20,}\n/);
      assert.ok(workbook.includes(`loadTextContent('../${path}')`));
    });
  }

  test("replace existing saved searches, one by one", () => {
    assert.match(workbook, /@batchSize\(1\)\nresource searches /);
    assert.match(workbook, /\n\s+etag: '\*'\n/);
  });

  test("use all metrics of the app, and no others", () => {
    const used = files.flatMap((path) => textOf(path).match(/'(?:liveness|maintenance|face|events)\.[a-z_]+'/g) ?? []);
    const names = [...new Set(used.map((name) => name.slice(1, -1)))];
    const properties = ["liveness.client", "liveness.session_id", "face.request_id"];
    const known = [...Object.keys(metrics), ...properties];
    assert.deepEqual(missing(names, known), []);
    // Durations are taken from spans and from the log instead.
    assert.deepEqual(missing(Object.keys(metrics), names), ["face.duration", "maintenance.duration"]);
  });
});

describe("alerts", () => {
  const text = textOf("modules/alerts.bicep");
  const main = textOf("main.bicep");

  test("use names of existing functions", () => {
    const names = [...endpoints.map(({ name }) => name), "maintainSessions"];
    const used = [...text.matchAll(/OperationName [!=]= '(\w+)'/g)].map(([, name]) => name ?? "");
    assert.ok(used.length > 0);
    assert.deepEqual(missing(used, names), []);
  });

  test("have valid queries", () => {
    const queries = [...text.matchAll(/query: '''\n(.*?)'''/gs)].map(([, query = ""]) => query);
    assert.equal(queries.length, 4);
    assert.deepEqual(queries.flatMap(faultsOfQuery), []);
  });

  test("fire only after several missed runs of the timer", () => {
    const minutes = Number(/^0 \*\/(\d+) \* \* \* \*$/.exec(maintenanceSchedule)?.[1]);
    const window = Number(/name: 'maintenance-overdue'[\s\S]+?window: 'PT(\d+)M'/.exec(text)?.[1]);
    assert.ok(window >= 3 * minutes, `${window} minutes, and a run every ${minutes}`);
  });

  test("include an external availability test for an app that never started", () => {
    const test = findResource("modules/alerts.bicep", "Microsoft.Insights/webtests");
    assert.equal(test.get("properties", "Request", "RequestUrl"), "readinessUrl");
    assert.match(main, /readinessUrl: '\$\{functionApp\.outputs\.uri\}\/api\/health\/ready'/);
    assert.ok(endpoints.some(({ route, access }) => route === "api/health/ready" && access === "everyone"));
    const alert = findResource("modules/alerts.bicep", "Microsoft.Insights/metricAlerts");
    assert.equal(alert.get("properties", "criteria", "webTestId"), "availability.id");
    const places = test.get("properties", "Locations")?.match(/Id:/g)?.length ?? 0;
    assert.ok(Number(alert.get("properties", "criteria", "failedLocationCount")) <= places);
    const window = /^'PT(\d+)M'$/.exec(alert.get("properties", "windowSize") ?? "")?.[1];
    const frequency = Number(test.get("properties", "Frequency"));
    assert.ok(Number(window) * 60 >= frequency, "a call of each place in every window");
  });

  test("use names of logged events", () => {
    const logged = ["functions/maintain-sessions.ts", "http/endpoint.ts"]
      .map((path) => readDocument(`src/${path}`))
      .join();
    for (const event of ["EventGivenUp", "MaintenanceFailed", "RequestFailed"]) {
      assert.match(text, new RegExp(event));
      assert.match(logged, new RegExp(`"${event}"`));
    }
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { endpoints } from "../../../src/endpoints.ts";
import { maintenanceSchedule } from "../../../src/functions/maintain-sessions.ts";
import { missing } from "../documents.ts";
import { findResource, infra, readBicep } from "./bicep.ts";

describe("alerts", () => {
  const { tree } = readBicep("modules/alerts.bicep");

  test("use names of existing functions", () => {
    const names = [...endpoints.map(({ name }) => name), "maintainSessions"];
    const used = [...tree.text.matchAll(/OperationName [!=]= '(\w+)'/g)].map(([, name]) => name ?? "");
    assert.ok(used.length > 0);
    assert.deepEqual(missing(used, names), []);
  });

  test("fire only after several missed runs of the timer", () => {
    const minutes = Number(/^0 \*\/(\d+) \* \* \* \*$/.exec(maintenanceSchedule)?.[1]);
    const window = Number(/name: 'maintenance-overdue'[\s\S]+?window: 'PT(\d+)M'/.exec(tree.text)?.[1]);
    assert.ok(window >= 3 * minutes, `${window} minutes, and a run every ${minutes}`);
  });

  test("include an external availability test for an app that never started", () => {
    const test = findResource("modules/alerts.bicep", "Microsoft.Insights/webtests");
    assert.equal(test.get("properties", "Request", "RequestUrl"), "readinessUrl");
    assert.match(
      readBicep("main.bicep").tree.text,
      /readinessUrl: '\$\{functionApp\.outputs\.uri\}\/api\/health\/ready'/,
    );
    assert.ok(endpoints.some(({ route, access }) => route === "api/health/ready" && access === "everyone"));
    const alert = findResource("modules/alerts.bicep", "Microsoft.Insights/metricAlerts");
    assert.equal(alert.get("properties", "criteria", "webTestId"), "availability.id");
    const places = test.get("properties", "Locations")?.match(/Id:/g)?.length ?? 0;
    assert.ok(Number(alert.get("properties", "criteria", "failedLocationCount")) <= places);
    const window = /^'PT(\d+)M'$/.exec(alert.get("properties", "windowSize") ?? "")?.[1];
    assert.ok(
      Number(window) * 60 >= Number(test.get("properties", "Frequency")),
      "a call of each place in every window",
    );
  });

  test("use names of logged events", () => {
    const logged = ["functions/maintain-sessions.ts", "http/endpoint.ts"].map(readSource).join("\n");
    for (const event of ["EventGivenUp", "MaintenanceFailed", "RequestFailed"]) {
      assert.match(tree.text, new RegExp(event));
      assert.match(logged, new RegExp(`"${event}"`));
    }
  });
});

function readSource(path: string): string {
  return readFileSync(join(infra, "../src", path), "utf8");
}

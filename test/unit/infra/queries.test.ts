import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { metrics } from "../../../src/telemetry/telemetry.ts";
import { missing } from "../documents.ts";
import { infra, listFiles, readBicep } from "./bicep.ts";
import { faultsOfQuery } from "./kusto.ts";

const files = listFiles(".kql");
const textOf = (path: string) => readFileSync(join(infra, path), "utf8");
const workbook = readBicep("modules/workbook.bicep").tree.text;
const alerts = [...readBicep("modules/alerts.bicep").tree.text.matchAll(/query: '''\n(.*?)'''/gs)].map(
  ([, query = ""]) => query,
);

test("the checker finds errors", () => {
  assert.equal(faultsOfQuery("AppMetrics | where Sum > 1").length, 0);
  for (const wrong of ["AppMetrics | where Summ > 1", "AppMetric | take 1", "AppMetrics | were Sum > 1"]) {
    assert.ok(faultsOfQuery(wrong).length > 0, wrong);
  }
});

describe("queries", () => {
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

  test("of alerts are valid", () => {
    assert.equal(alerts.length, 4);
    assert.deepEqual(alerts.flatMap(faultsOfQuery), []);
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

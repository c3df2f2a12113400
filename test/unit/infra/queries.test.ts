import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { metrics } from "../../../src/telemetry/telemetry.ts";
import { infra, listFiles, readBicep } from "./bicep.ts";
import { faultsOfQuery } from "./kusto.ts";

const files = listFiles(".kql");
const textOf = (path: string) => readFileSync(join(infra, path), "utf8");
const workbook = readBicep("modules/workbook.bicep").tree.text;
const alerts = [...readBicep("modules/alerts.bicep").tree.text.matchAll(/query: '''\n(.*?)'''/gs)].map(
  ([, query = ""]) => query,
);

test("the checker finds what is wrong", () => {
  assert.equal(faultsOfQuery("AppMetrics | where Sum > 1").length, 0);
  for (const wrong of ["AppMetrics | where Summ > 1", "AppMetric | take 1", "AppMetrics | were Sum > 1"]) {
    assert.ok(faultsOfQuery(wrong).length > 0, wrong);
  }
});

describe("queries", () => {
  for (const path of files) {
    test(`${path} is sound, says what it is for, and is saved with the workspace`, () => {
      assert.deepEqual(faultsOfQuery(textOf(path)), []);
      assert.match(textOf(path), /^\/\/ .{20,}\n/);
      assert.ok(workbook.includes(`loadTextContent('../${path}')`));
    });
  }

  test("replace those that are saved already, one by one: provisioning is done again and again", () => {
    assert.match(workbook, /@batchSize\(1\)\nresource searches /);
    assert.match(workbook, /\n\s+etag: '\*'\n/);
  });

  test("of alerts are sound too", () => {
    assert.equal(alerts.length, 3);
    assert.deepEqual(alerts.flatMap(faultsOfQuery), []);
  });

  test("ask for measurements that there are, and leave out none", () => {
    const asked = files.flatMap((path) => textOf(path).match(/'(?:liveness|maintenance|face)\.[a-z_]+'/g) ?? []);
    const names = [...new Set(asked.map((name) => name.slice(1, -1)))];
    const properties = ["liveness.client", "liveness.session_id", "face.request_id"];
    const known = [...Object.keys(metrics), ...properties];
    assert.deepEqual(
      names.filter((name) => !known.includes(name)),
      [],
    );
    // How long Face takes is better read from its spans, and how long a run took from the log.
    const unasked = Object.keys(metrics).filter((name) => !names.includes(name));
    assert.deepEqual(unasked, ["face.duration", "maintenance.duration"]);
  });
});

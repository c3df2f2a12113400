import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import * as z from "zod";
import { settings } from "../../src/config.ts";
import { endpoints } from "../../src/endpoints.ts";

const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const sample = z
  .object({ Values: z.record(z.string(), z.string()) })
  .parse(JSON.parse(readFileSync(join(root, "local.settings.sample.json"), "utf8"))).Values;

const names = Object.keys(settings.shape);
/** What is of Azure, and what stands for the connection string where there is an identity. */
const notOnLaptops = /^(WEBSITE_|APPLICATIONINSIGHTS_|AZURE_CLIENT_ID$|AzureWebJobsStorage__)/;

it("every setting has its row in the README, with the default that the code has", () => {
  for (const name of names) {
    const row = readme.split("\n").find((line) => line.startsWith("|") && line.split("|")[1]?.includes(`\`${name}\``));
    assert.ok(row, `${name} has no row`);
    const told = /`([^`]+)` \|$/.exec(row)?.[1];
    const parsed = settings.shape[name as keyof typeof settings.shape].safeParse(undefined);
    const byDefault = parsed.success ? parsed.data : undefined;
    if (typeof byDefault === "object" || byDefault === undefined) continue;
    assert.equal(told, String(byDefault), name);
  }
});

it("the sample has every setting that matters on a laptop, with its default", () => {
  const expected = names.filter((name) => !notOnLaptops.test(name));
  assert.deepEqual(Object.keys(sample).sort(), ["FUNCTIONS_WORKER_RUNTIME", ...expected].sort());
  const parsed = settings.parse(sample);
  for (const name of expected) {
    const alone = settings.shape[name as keyof typeof settings.shape].safeParse(undefined);
    if (name === "ALLOW_ANONYMOUS" || !alone.success) continue;
    const value = parsed[name as keyof typeof parsed];
    if (name !== "AzureWebJobsStorage") assert.deepEqual(value, alone.data, name);
  }
});

it("every route of the app is in the README", () => {
  for (const { route, name } of endpoints.filter(({ name }) => !name.endsWith("Fallback"))) {
    const words = route.split("/").filter((segment) => !segment.startsWith("{"));
    const last = words.at(-1) ?? assert.fail();
    assert.ok(readme.includes(last), `${name}: ${route}`);
  }
});

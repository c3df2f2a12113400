import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse as parseYaml } from "yaml";
import * as z from "zod";
import { manifest, missing, readDocument, root } from "../documents.ts";

const folder = ".github/workflows";

const permissions = z.record(z.string(), z.enum(["read", "write", "none"]));
const step = z.strictObject({
  name: z.string().optional(),
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).optional(),
  env: z.record(z.string(), z.string()).optional(),
  shell: z.string().optional(),
  "working-directory": z.string().optional(),
});
const workflow = z.strictObject({
  name: z.string(),
  on: z.record(z.string(), z.unknown()),
  permissions,
  concurrency: z.unknown(),
  jobs: z.record(
    z.string(),
    z.strictObject({
      strategy: z.object({ matrix: z.object({ os: z.array(z.string()) }) }).optional(),
      "runs-on": z.string(),
      "timeout-minutes": z.int().positive(),
      permissions: permissions.optional(),
      env: z.record(z.string(), z.string()).optional(),
      steps: z.array(step),
    }),
  ),
});
const workflows = readdirSync(join(root, folder)).map((file) => {
  const text = readDocument(`${folder}/${file}`);
  return { file, text, ...workflow.partial({ concurrency: true }).parse(parseYaml(text)) };
});
const ci = workflows.find(({ file }) => file === "ci.yml") ?? assert.fail("no ci.yml");
const release = workflows.find(({ file }) => file === "release.yml") ?? assert.fail("no release.yml");

for (const { file, text, jobs, permissions: given } of workflows) {
  describe(file, () => {
    const steps = Object.values(jobs).flatMap((job) => job.steps);

    test("has read permission only, except for releases", () => {
      assert.deepEqual(given, { contents: "read" });
      const writing = Object.values(jobs).filter((job) => Object.values(job.permissions ?? {}).includes("write"));
      assert.equal(writing.length, file === "release.yml" ? 1 : 0);
    });

    test("uses official actions, pinned by major version", () => {
      for (const { uses } of steps) if (uses !== undefined) assert.match(uses, /^actions\/[\w-]+@v\d+$/);
    });

    test("uses no untrusted input in a shell", () => {
      for (const { run } of steps) assert.doesNotMatch(run ?? "", /\$\{\{/);
      assert.doesNotMatch(text, /pull_request_target|secrets\./);
    });

    test("calls existing scripts only", () => {
      const runs = steps.map(({ run }) => run ?? "").join("\n");
      const called = [...runs.matchAll(/npm run ([\w:]+)/g)].map(([, script = ""]) => script);
      assert.deepEqual(missing(called, Object.keys(manifest.scripts)), []);
    });
  });
}

test("the README's test command runs on Linux, macOS and Windows", () => {
  const [, command] = /```sh\n(npm ci && npm test)\n```/.exec(readDocument("README.md")) ?? [];
  const { strategy, steps } = ci.jobs.test ?? assert.fail("no tests");
  assert.deepEqual(strategy?.matrix.os, ["ubuntu-latest", "macos-latest", "windows-latest"]);
  assert.ok(command && steps.some(({ run }) => run === command));
  assert.ok(release.jobs.package?.steps.some(({ run }) => run === command));
});

test("ci audits production dependencies and compiles every Bicep file", () => {
  const runs = Object.values(ci.jobs).flatMap(({ steps }) => steps.map(({ run }) => run ?? ""));
  assert.ok(runs.includes("npm audit --omit=dev --audit-level=high"));
  assert.ok(runs.some((run) => run.includes("az bicep build --file infra/main.bicep")));
  assert.ok(existsSync(join(root, "infra/main.bicep")));
  // By one version of the compiler.
  assert.ok(runs.some((run) => /^az bicep install --version v\d+\.\d+\.\d+$/.test(run)));
});

test("a release has the package of its version as an asset, with an attestation of its build", () => {
  const { permissions: given, steps } = release.jobs.package ?? assert.fail("no package");
  const runs = steps.map(({ run }) => run ?? "").join("\n");
  const archive = `${manifest.name}-$TAG.zip`;
  assert.deepEqual(release.on, { push: { tags: ["v*"] } });
  assert.ok(runs.includes(`zip -r "../${archive}" .`) && runs.includes(`"${archive}" --verify-tag`));
  const attest = steps.findIndex(({ uses }) => uses?.startsWith("actions/attest-build-provenance@"));
  const publish = steps.findIndex(({ run }) => run?.startsWith("gh release create"));
  assert.ok(attest >= 0 && attest < publish);
  assert.equal(steps[attest]?.with?.["subject-path"], `${manifest.name}-\${{ github.ref_name }}.zip`);
  assert.deepEqual([given?.attestations, given?.["id-token"]], ["write", "write"]);
});

test("dependencies and actions are kept up to date", () => {
  const { updates } = z
    .object({ updates: z.array(z.object({ "package-ecosystem": z.string(), directory: z.literal("/") })) })
    .parse(parseYaml(readDocument(".github/dependabot.yml")));
  assert.deepEqual(updates.map((update) => update["package-ecosystem"]).sort(), ["github-actions", "npm"]);
});

test("the license exists", () => assert.ok(readDocument("LICENSE").length > 200));

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { parse as parseYaml } from "yaml";
import * as z from "zod";
import { build } from "../../../infra/build.ts";
import { packageFor } from "../../../infra/run-node.mjs";
import { settings } from "../../../src/config.ts";
import { listen } from "../../local/ports.ts";
import { manifest, readDocument, root } from "../documents.ts";
import { readBicep } from "./bicep.ts";

/** Builds into a folder that the test removes. */
async function buildFor(t: TestContext, entry?: string) {
  const folder = await mkdtemp(join(tmpdir(), "package-"));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const outFolder = join(folder, posix.dirname(manifest.main));
  const { bytes } = await build({ outFolder, ...(entry !== undefined && { entry }) });
  return { outFolder, main: join(folder, manifest.main), bytes };
}

const lock = z
  .object({
    packages: z.record(
      z.string(),
      z.object({
        ...{ integrity: z.string().optional(), hasInstallScript: z.boolean().optional(), dev: z.boolean().optional() },
        ...{ os: z.unknown().optional(), cpu: z.unknown().optional() },
      }),
    ),
  })
  .parse(JSON.parse(readDocument("package-lock.json")));

/** Strict schema of the parts of host.json that the app uses. */
const host = z
  .strictObject({
    version: z.literal("2.0"),
    functionTimeout: z.string().regex(/^\d\d:\d\d:\d\d$/),
    extensions: z.strictObject({
      http: z.strictObject({
        routePrefix: z.literal(""),
        maxConcurrentRequests: z.int(),
        maxOutstandingRequests: z.int(),
        dynamicThrottlesEnabled: z.boolean(),
      }),
    }),
    extensionBundle: z.strictObject({
      id: z.literal("Microsoft.Azure.Functions.ExtensionBundle"),
      version: z.string().regex(/^\[4\.\S+, 5\.0\.0\)$/),
    }),
    logging: z.strictObject({
      applicationInsights: z.strictObject({
        samplingSettings: z.strictObject({ isEnabled: z.boolean(), excludedTypes: z.string() }),
      }),
      logLevel: z.record(z.string(), z.enum(["Trace", "Debug", "Information", "Warning", "Error", "Critical", "None"])),
    }),
  })
  .parse(JSON.parse(readDocument("host.json")));

describe("host.json", () => {
  test("has a timeout above the longest run of the timer", () => {
    const [hours = 0, minutes = 0, seconds = 0] = host.functionTimeout.split(":").map(Number);
    const timeout = hours * 3600 + minutes * 60 + seconds;
    const allowed = (budget: number) => settings.shape.MAINTENANCE_BUDGET_SECONDS.safeParse(String(budget)).success;
    assert.ok(allowed(60) && !allowed(timeout - 240));
  });

  test("has no throttle that affects Flex Consumption", () => {
    const { maxConcurrentRequests, maxOutstandingRequests } = host.extensions.http;
    const concurrency = readBicep("main.bicep").params.find(({ name }) => name === "httpConcurrency");
    const [, most] = /^\d+–(\d+)$/.exec(concurrency?.range ?? "") ?? [];
    assert.ok(Number(concurrency?.byDefault) < maxConcurrentRequests, "by default more instances start first");
    assert.ok(Number(most) <= maxConcurrentRequests, "no choice goes beyond what an instance lets through");
    assert.ok(maxConcurrentRequests <= maxOutstandingRequests);
  });

  test("does not sample requests, traces and exceptions", () => {
    const { excludedTypes } = host.logging.applicationInsights.samplingSettings;
    assert.deepEqual(excludedTypes.split(";").sort(), ["Exception", "Request", "Trace"]);
    assert.deepEqual([host.logging.logLevel.Host, host.logging.logLevel.Function], ["Information", "Information"]);
  });
});

describe("Core Tools", () => {
  test("find worker, storage and port in the sample settings", () => {
    assert.partialDeepStrictEqual(JSON.parse(readDocument("local.settings.sample.json")), {
      IsEncrypted: false,
      Values: { FUNCTIONS_WORKER_RUNTIME: "node", AzureWebJobsStorage: "UseDevelopmentStorage=true" },
      Host: { LocalHttpPort: 7071 },
    });
  });

  test("find the built file at `main`, from this folder and from dist", async (t) => {
    const { main, outFolder } = await buildFor(t);
    assert.ok((await stat(main)).size > 0);
    const built = z
      .object({ main: z.string() })
      .parse(JSON.parse(await readFile(join(outFolder, "package.json"), "utf8")));
    assert.equal(posix.join(posix.dirname(manifest.main), built.main), manifest.main);
    const files = await readdir(outFolder, { recursive: true });
    for (const name of ["host.json", built.main, "package.json"]) assert.ok(files.includes(name), name);
    assert.ok(!files.some((name) => /node_modules|\.map$/.test(name)));
  });

  test("publish only the files that run", () => {
    const patterns = readDocument(".funcignore").match(/^[^#\n].*$/gm) ?? [];
    const isLeftOut = (path: string) =>
      patterns.some((pattern) =>
        pattern.startsWith("*") ? path.endsWith(pattern.slice(1)) : path.split("/").includes(pattern),
      );
    assert.deepEqual(["host.json", "package.json", manifest.main].filter(isLeftOut), []);
    const files =
      "src test infra node_modules dist-maps .git .github .ci .azure .funcignore .gitattributes .gitignore .npmrc README.md LICENSE azure.yaml biome.json local.settings.json local.settings.sample.json package-lock.json tsconfig.json";
    assert.deepEqual(
      files.split(" ").filter((path) => !isLeftOut(path)),
      [],
    );
  });
});

describe("azure.yaml", () => {
  const hook = z.strictObject({ shell: z.enum(["sh", "pwsh"]), run: z.string() });
  const hooks = z.strictObject({ posix: hook, windows: hook });
  const project = z
    .strictObject({
      name: z.string(),
      requiredVersions: z.strictObject({ azd: z.string().regex(/^>= \d+\.\d+\.\d+$/) }),
      hooks: z.strictObject({ preprovision: hooks }),
      services: z.strictObject({
        api: z.strictObject({
          project: z.literal("."),
          host: z.literal("function"),
          language: z.literal("custom"),
          dist: z.string(),
          hooks: z.strictObject({ prepackage: hooks }),
        }),
      }),
    })
    .parse(parseYaml(readDocument("azure.yaml")));
  const { prepackage } = project.services.api.hooks;
  const { preprovision } = project.hooks;

  test("builds and uploads dist on every system", () => {
    assert.equal(project.services.api.dist, posix.dirname(manifest.main));
    assert.equal(prepackage.posix.run, "npm ci && npm run build");
    const stop = "if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }";
    assert.equal(prepackage.windows.run, `npm ci\n${stop}\nnpm run build\nexit $LASTEXITCODE\n`);
    assert.ok(manifest.scripts.build);
  });

  test("has hooks that Windows PowerShell 5.1 can parse", () => {
    for (const { windows } of [prepackage, preprovision]) {
      assert.equal(windows.shell, "pwsh");
      assert.doesNotMatch(windows.run, /&&|\|\||\?\?|\?\.|\? .* :/, "operators of PowerShell 7");
    }
  });

  test("registers resource providers before provisioning on every system", () => {
    assert.equal(preprovision.posix.run, "node infra/hooks/preprovision.mjs");
    assert.equal(preprovision.windows.run, preprovision.posix.run);
    assert.ok(existsSync(join(root, "infra/hooks/preprovision.mjs")));
  });

  test("has the service name of the app's tag", () => {
    assert.match(readBicep("main.bicep").tree.text, /serviceName: 'api'/);
    assert.match(readBicep("modules/function-app.bicep").tree.text, /'azd-service-name': serviceName/);
    assert.match(readBicep("main.bicep").tree.text, /tags = \{ 'azd-env-name': environmentName \}/);
  });
});

describe("Node.js", () => {
  const binaries = Object.entries(manifest.optionalDependencies);
  const [, cloud] =
    /runtime: \{ name: 'node', version: '(\d+)' \}/.exec(readBicep("modules/function-app.bicep").tree.text) ?? [];

  test("has the same major version in Azure and in tests", () => {
    assert.equal(cloud, process.versions.node.split(".")[0]);
    assert.match(readDocument("infra/build.ts"), new RegExp(`target: "node${cloud}"`));
  });

  test("has one package of the right major version for each platform", () => {
    const platforms = ["darwin arm64", "darwin x64", "linux arm64", "linux x64", "win32 x64"];
    const expected = platforms.map((each) => packageFor(...(each.split(" ") as [string, string])));
    assert.deepEqual(binaries.map(([name]) => name).sort(), expected.sort());
    for (const [name, version] of binaries) {
      assert.match(version, new RegExp(`^${cloud}\\.\\d+\\.\\d+$`), name);
      const { os, cpu } = lock.packages[`node_modules/${name}`] ?? assert.fail(`${name} is not locked`);
      assert.ok(os !== undefined && cpu !== undefined, `${name} would be installed everywhere`);
    }
  });

  test("runs the npm scripts, independent of the version that runs npm", () => {
    for (const [name, script] of Object.entries(manifest.scripts)) {
      assert.doesNotMatch(script, /(^|&& )node (?!infra\/run-node\.mjs )/, name);
    }
  });

  test("gets the arguments unchanged, and its exit code is returned", () => {
    const runNode = (...args: string[]) =>
      spawnSync(process.execPath, [join(root, "infra/run-node.mjs"), ...args], { encoding: "utf8" });
    assert.equal(runNode("--print", "process.versions.node.split('.')[0]").stdout.trim(), cloud);
    assert.equal(runNode("--eval", "process.exit(Number(process.argv[1]))", "7").status, 7);
  });
});

describe("the lock file", () => {
  test("has a hash and no URL for every package", () => {
    const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
    assert.ok(packages.length > 100);
    const unhashed = packages.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? "")).map(([path]) => path);
    assert.deepEqual(unhashed, []);
    assert.doesNotMatch(readDocument("package-lock.json"), /"resolved"|registry/);
    assert.match(readDocument(".npmrc"), /^omit-lockfile-registry-resolved=true$/m);
  });

  test("is complete: no package runs an install script", () => {
    const withScripts = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
    const names = withScripts.map(([path]) => [path.split("node_modules/").at(-1) ?? "", false]);
    assert.match(readDocument(".npmrc"), /^ignore-scripts=true$/m, "for every npm");
    // For an npm that checks allowed scripts one by one.
    assert.deepEqual(manifest.allowScripts, Object.fromEntries(names));
  });

  test("marks bundled packages as production dependencies, so that they are audited", () => {
    const files = readDocument("infra/description-files.ts").matchAll(/resolve\("([\w-]+)\/package\.json"\)/g);
    const shipped = [...files].map(([, name]) => name);
    assert.deepEqual(shipped, ["swagger-ui-dist"]);
    assert.ok("swagger-ui-dist" in manifest.dependencies);
    assert.equal(lock.packages["node_modules/swagger-ui-dist"]?.dev, undefined);
  });
});

describe("a bundle", () => {
  const fixtures = join(root, "test/fixtures");
  const run = async (args: string[], env = process.env) =>
    (await promisify(execFile)(process.execPath, args, { env })).stdout;

  test("sends requests through the proxy of its environment", async (t) => {
    const tunnels: string[] = [];
    const proxy = createServer(({ url }, response) => response.end(`by proxy: ${url}`));
    proxy.on("connect", ({ url = "" }, socket) => {
      tunnels.push(url);
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    const url = `http://127.0.0.1:${await listen(proxy)}`;
    t.after(() => proxy.close());
    const { main } = await buildFor(t, join(fixtures, "proxied-request.ts"));
    const env = { PATH: process.env.PATH, HTTP_PROXY: url, HTTPS_PROXY: url };
    assert.equal(await run([main, "http://face.invalid/a"], env), "200 by proxy: http://face.invalid/a");
    assert.match(await run([main, "https://face.invalid/b"], env), /^403 /);
    assert.deepEqual(tunnels, ["face.invalid:443"]);
  });

  test("publishes events to Event Grid as the library does", async (t) => {
    const entry = join(fixtures, "published-event.ts");
    const { main, bytes } = await buildFor(t, entry);
    const [bundled, library] = await Promise.all([run([main]), run([entry])]);
    assert.match(library, /^\[\{"id":"one",.*"reasons":\["DigestMatched"\].*\}\]\ndelivered$/);
    assert.equal(bundled, library);
    assert.ok(bytes < 400_000, `the shapes of other events are left out: ${bytes}`);
  });
});

// `node infra/run-node.mjs ARGS` runs Node.js 24 with ARGS, whatever version npm runs on. The binary is in an optional
// dependency for each platform, of which npm installs the one that fits. Its own command `node` in node_modules/.bin is
// not enough: npm 10 removes that link together with the packages of the other platforms, which all have the same.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

const major = "24";

/**
 * Name of the package with the binary for a platform, as `process.platform` and `process.arch` name it.
 *
 * @param {string} platform
 * @param {string} arch
 */
export function packageFor(platform, arch) {
  const prefix = platform === "darwin" && arch === "arm64" ? "node-bin" : "node";
  return [prefix, platform === "win32" ? "win" : platform, arch].join("-");
}

/** Path of the binary; undefined where there is neither a package for this platform nor a Node.js 24 that runs this. */
export function findNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(
      `${packageFor(process.platform, process.arch)}/package.json`,
    );
    return join(dirname(manifest), createRequire(import.meta.url)(manifest).bin.node);
  } catch {
    return process.versions.node.split(".")[0] === major ? process.execPath : undefined;
  }
}

function main() {
  const node = findNode();
  if (node === undefined) {
    process.stderr.write(
      `No package has Node.js ${major} for ${process.platform} ${process.arch}. Install Node.js ${major} and run npm with it.\n`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, process.argv.slice(2), { stdio: "inherit" });
  // A terminal sends it to the child too, which decides when to end.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => {
    process.stderr.write(`${node} does not start: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on("close", (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal === "SIGINT" || signal === "SIGTERM") {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

if (basename(process.argv[1] ?? "") === "run-node.mjs") main();

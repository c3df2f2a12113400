// `node infra/run-node.mjs ARGS` runs Node.js 24 with ARGS; npm itself may run on another version. The binary is in an
// optional dependency for each platform, of which npm installs the matching one. The link `node` in node_modules/.bin cannot
// be used: npm 10 removes it together with the packages of the other platforms, which have a link of the same name.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

const major = "24";

/**
 * Name of the package with the binary for a platform.
 *
 * @param {string} platform
 * @param {string} arch
 */
export function packageFor(platform, arch) {
  const prefix = platform === "darwin" && arch === "arm64" ? "node-bin" : "node";
  return [prefix, platform === "win32" ? "win" : platform, arch].join("-");
}

/** Path of the binary. Undefined if no package for this platform is installed and this process is not Node.js 24. */
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
      `There is no package with Node.js ${major} for ${process.platform} ${process.arch}. Install Node.js ${major} and run npm with it.\n`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, process.argv.slice(2), { stdio: "inherit" });
  // The terminal also sends SIGINT to the child, which decides when to exit.
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

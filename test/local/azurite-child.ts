import Module, { createRequire, enableCompileCache } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Runs Azurite in this process with its arguments. Started directly, it would outlive its parent and load a telemetry
 * library even with telemetry off.
 */
process.on("disconnect", () => process.exit());
// Azurite's message listener must not keep the process alive once its servers are closed.
process.channel?.unref();
enableCompileCache(join(tmpdir(), "azurite-compile-cache"));

const require = createRequire(import.meta.url);
const azurite = require.resolve("azurite/dist/src/azurite.js");
const telemetry = createRequire(azurite).resolve("applicationinsights");
const stub = new Module(telemetry);
stub.loaded = true;
require.cache[telemetry] = stub;

require(azurite);

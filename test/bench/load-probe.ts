import { createRequire } from "node:module";
import { resolve } from "node:path";
import { provideCoreModule } from "../local/functions-host/core-api.ts";

/** `load-probe <main>`: loads an app's main file like the worker, prints the time in milliseconds, and exits. */
const main = resolve(process.argv[2] ?? "");
provideCoreModule(() => undefined);
const requireMain = createRequire(main);
const start = performance.now();
requireMain(main);
process.stdout.write(String(performance.now() - start), () => process.exit());

import { resolve } from "node:path";
import { build } from "../../infra/build.ts";
import { readDataFolder, readPorts } from "./settings.ts";
import { startStack } from "./stack.ts";
import { fail, print, stopOnSignals } from "./terminal.ts";
import { makeWelcome } from "./welcome.ts";

/**
 * `npm start [-- --data DIR]`: builds the app and runs it with its services on this machine. The app's settings are the
 * environment of this process.
 */
const signals = stopOnSignals();
try {
  const ports = readPorts(process.env);
  const dataFolder = readDataFolder(process.argv.slice(2));
  const { outFolder } = await build();
  const stack = await startStack({
    appFolder: outFolder,
    workFolder: resolve(import.meta.dirname, "../.."),
    env: process.env,
    ports,
    timers: true,
    webhooks: true,
    onWebhook: print,
    ...(dataFolder === undefined ? {} : { dataFolder }),
    onAppOutput: (text) => process.stdout.write(text),
  });
  let stopping = false;
  signals.whenAsked(async () => {
    stopping = true;
    await stack.stop();
  });
  print(makeWelcome(stack, dataFolder));

  // The end of one process ends the others.
  const ended = await Promise.race([
    stack.app.exited.then(() => "app"),
    stack.azurite.exited.then(() => "storage emulator"),
  ]);
  if (!stopping) {
    await stack.stop();
    process.stderr.write(`The ${ended} has ended by itself; everything else has been stopped.\n`);
    process.exit(1);
  }
} catch (error) {
  fail(error);
}

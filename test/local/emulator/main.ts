import { stopOnSignals } from "../terminal.ts";
import { startFaceEmulator } from "./emulator.ts";

/** Runs the Face emulator until Ctrl-C. Port: `FACE_EMULATOR_PORT`, default 7080. */
const signals = stopOnSignals();
try {
  const emulator = await startFaceEmulator({ port: Number(process.env.FACE_EMULATOR_PORT ?? 7080) });
  signals.whenAsked(emulator.close);
  process.stdout.write(`Face emulator: ${emulator.url} (key: ${emulator.key})\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

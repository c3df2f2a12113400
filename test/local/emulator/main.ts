import { startFaceEmulator } from "./emulator.ts";

/** Runs the Face emulator by itself until Ctrl-C. Its port: `FACE_EMULATOR_PORT`, 7080 by default. */
try {
  const emulator = await startFaceEmulator({ port: Number(process.env.FACE_EMULATOR_PORT ?? 7080) });
  process.stdout.write(`Face emulator: ${emulator.url} (key: ${emulator.key})\n`);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void emulator.close());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

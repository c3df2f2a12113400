import { type Azurite, startAzurite } from "./azurite.ts";
import { StackError } from "./child.ts";
import { type FaceEmulator, startFaceEmulator } from "./emulator/emulator.ts";
import { explainPort } from "./ports.ts";

/** App settings by name. */
export type Settings = Record<string, string | undefined>;

/**
 * Value of `USER_ID_KEY` beside the emulator, where the environment has none. It is public, so it is not used with the real
 * Face service: device ids could be guessed from the user ids that it derives.
 */
export const emulatorUserIdKey = "public key of the local stack, not for a real service";

/** The services that the app uses. */
export interface Services {
  azurite: Azurite;
  /** Undefined: the real Face service is used. */
  emulator: FaceEmulator | undefined;
}

export interface ServicesOptions {
  /** Default of each port: any free one. */
  ports?: { emulator?: number; blob?: number; queue?: number; table?: number } | undefined;
  /** Folder of Azurite's data. Default: in memory. */
  dataFolder?: string | undefined;
  withEmulator: boolean;
  /** Awaited at every move of the emulator's clock. */
  onClock?: (offsetMs: number) => Promise<void>;
}

/** Starts both. Throws `StackError` where one cannot start, after stopping the other. */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { ports, dataFolder } = options;
  const [azurite, emulator] = await Promise.allSettled([
    startAzurite({
      blobPort: ports?.blob ?? 0,
      queuePort: ports?.queue ?? 0,
      tablePort: ports?.table ?? 0,
      ...(dataFolder === undefined ? {} : { dataFolder }),
    }),
    options.withEmulator ? startEmulator(ports?.emulator ?? 0, options.onClock) : undefined,
  ]);
  if (azurite.status === "rejected") {
    await (emulator.status === "fulfilled" && emulator.value?.close());
    throw azurite.reason;
  }
  if (emulator.status === "rejected") {
    await azurite.value.stop();
    throw emulator.reason;
  }
  return { azurite: azurite.value, emulator: emulator.value };
}

export async function stopServices({ azurite, emulator }: Services): Promise<void> {
  await Promise.all([emulator?.close(), azurite.stop()]);
}

async function startEmulator(port: number, onClock?: (offsetMs: number) => Promise<void>): Promise<FaceEmulator> {
  try {
    return await startFaceEmulator({ port, ...(onClock ? { onClock } : {}) });
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const reason = explainPort(code, "Face emulator", port, "FACE_EMULATOR_PORT");
    throw reason === undefined ? error : new StackError(reason);
  }
}

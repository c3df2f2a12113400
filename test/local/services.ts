import { type Azurite, startAzurite } from "./azurite.ts";
import { StackError } from "./child.ts";
import { type FaceEmulator, startFaceEmulator } from "./emulator/emulator.ts";
import { explainPort } from "./ports.ts";
import { secretsFor, startWebhookReceiver, type WebhookReceiver } from "./webhook-receiver.ts";

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
  /** Undefined: it was not requested. */
  receiver: WebhookReceiver | undefined;
}

export interface ServicesOptions {
  /** Default of each port: any free one. */
  ports?: { emulator?: number; receiver?: number; blob?: number; queue?: number; table?: number } | undefined;
  /** Folder of Azurite's data. Default: in memory. */
  dataFolder?: string | undefined;
  withEmulator: boolean;
  /** Starts a receiver of webhooks. Default: none. */
  receiver?: ReceiverChoice | undefined;
  /** Awaited at every move of the emulator's clock. */
  onClock?: (offsetMs: number) => Promise<void>;
}

export interface ReceiverChoice {
  /** `WEBHOOK_ENDPOINTS` of the app, if it has its own: the receiver checks signatures with the secrets for its port. */
  endpoints: string | undefined;
  /** Receives one line for each webhook. */
  onWebhook?: (line: string) => void;
}

/** Starts all. Throws `StackError` where one cannot start, after stopping the others. */
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
  const services: Services = { azurite: azurite.value, emulator: emulator.value, receiver: undefined };
  if (options.receiver === undefined) return services;
  try {
    return { ...services, receiver: await startReceiver(ports?.receiver ?? 0, options.receiver, services.emulator) };
  } catch (error) {
    await stopServices(services);
    throw error;
  }
}

export async function stopServices({ azurite, emulator, receiver }: Services): Promise<void> {
  await Promise.all([emulator?.close(), receiver?.close(), azurite.stop()]);
}

/** `WEBHOOK_ENDPOINTS` with the receiver, where the app has no endpoints of its own. */
export function receiverSettings(given: Settings, { receiver }: Pick<Services, "receiver">): Settings {
  return receiver && !given.WEBHOOK_ENDPOINTS ? { WEBHOOK_ENDPOINTS: receiver.endpoints } : {};
}

async function startReceiver(
  port: number,
  { endpoints, onWebhook }: ReceiverChoice,
  emulator: FaceEmulator | undefined,
): Promise<WebhookReceiver> {
  const secrets = endpoints ? secretsFor(port, endpoints) : undefined;
  try {
    const now = () => Date.now() + (emulator?.offsetMs() ?? 0);
    return await startWebhookReceiver({ port, now, onWebhook, ...(secrets && { secrets }) });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const reason = explainPort(code, "webhook receiver", port, "WEBHOOK_RECEIVER_PORT");
    throw reason === undefined ? error : new StackError(reason);
  }
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

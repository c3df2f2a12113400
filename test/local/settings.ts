import { parseArgs } from "node:util";
import { StackError } from "./child.ts";

export interface LocalPorts {
  app: number;
  emulator: number;
  receiver: number;
  blob: number;
  queue: number;
  table: number;
}

/** The default ports of the local stack, each overridden by its variable. Throws `StackError` for an invalid value. */
export function readPorts(env: NodeJS.ProcessEnv): LocalPorts {
  return {
    app: readPort(env, "PORT", 7071),
    emulator: readPort(env, "FACE_EMULATOR_PORT", 7080),
    receiver: readPort(env, "WEBHOOK_RECEIVER_PORT", 7090),
    blob: readPort(env, "AZURITE_BLOB_PORT", 10000),
    queue: readPort(env, "AZURITE_QUEUE_PORT", 10001),
    table: readPort(env, "AZURITE_TABLE_PORT", 10002),
  };
}

function readPort(env: NodeJS.ProcessEnv, name: string, byDefault: number): number {
  const text = env[name] ?? "";
  const port = text === "" ? byDefault : Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new StackError(`${name} must be a port number, not "${text}".`);
  }
  return port;
}

/** `--data DIR` of the command line. Throws `StackError` for any other argument. */
export function readDataFolder(args: readonly string[]): string | undefined {
  try {
    return parseArgs({ args: [...args], options: { data: { type: "string" } } }).values.data;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split(". ")[0] : String(error);
    throw new StackError(`${reason}. The one option is --data DIR, the folder in which storage keeps its data.`);
  }
}

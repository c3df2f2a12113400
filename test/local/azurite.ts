import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { StackError, startChild } from "./child.ts";
import { explainPort } from "./ports.ts";

const services = ["blob", "queue", "table"] as const;
type Service = (typeof services)[number];
type Ports = Record<Service, number>;

const portVariables: Record<Service, string> = {
  blob: "AZURITE_BLOB_PORT",
  queue: "AZURITE_QUEUE_PORT",
  table: "AZURITE_TABLE_PORT",
};

/** The account of every storage emulator. Published, and so no secret. */
const accountName = "devstoreaccount1";
const accountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

export interface AzuriteOptions {
  /** Default of each port: any free one. */
  blobPort?: number;
  queuePort?: number;
  tablePort?: number;
  /** Folder of the data, created where missing. Default: in memory. */
  dataFolder?: string;
}

export interface Azurite {
  connectionString: string;
  ports: Ports;
  /** Writes pending data to disk, and ends. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  exited: Promise<number | null>;
}

/** Starts Azurite, and waits until its three services answer. Throws `StackError` where it does not start. */
export async function startAzurite(options: AzuriteOptions = {}): Promise<Azurite> {
  const requested: Ports = {
    blob: options.blobPort ?? 0,
    queue: options.queuePort ?? 0,
    table: options.tablePort ?? 0,
  };
  const dataFolder = options.dataFolder === undefined ? undefined : resolve(options.dataFolder);
  if (dataFolder !== undefined) {
    await mkdir(dataFolder, { recursive: true });
  }
  const listening = Promise.withResolvers<Ports>();
  const child = startChild(join(import.meta.dirname, "azurite-child.ts"), {
    args: [
      ...services.flatMap((service) => [`--${service}Host`, "127.0.0.1", `--${service}Port`, `${requested[service]}`]),
      ...(dataFolder === undefined ? ["--inMemoryPersistence"] : ["--location", dataFolder]),
      // The SDKs use a newer version of the storage API than Azurite.
      "--skipApiVersionCheck",
      "--disableTelemetry",
      "--silent",
    ],
    // In memory too, Azurite reads its working folder.
    cwd: tmpdir(),
    onOutput: () => {
      const ports = readPorts(child.output());
      if (ports) {
        listening.resolve(ports);
      }
    },
  });
  void child.exited.then(() => listening.reject(new StackError(explainExit(child.output(), requested))));

  const ports = await listening.promise;
  await Promise.all(services.map((service) => fetch(`http://127.0.0.1:${ports[service]}/${accountName}?comp=list`)));
  const endpoints = services.map(
    (service) => `${capitalise(service)}Endpoint=http://127.0.0.1:${ports[service]}/${accountName};`,
  );
  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${accountName};AccountKey=${accountKey};${endpoints.join("")}`,
    ports,
    stop: child.stop,
    kill: child.kill,
    exited: child.exited,
  };
}

/** The ports from Azurite's output, once it has printed all three. */
function readPorts(output: string): Ports | undefined {
  const [blob, queue, table] = services.map(
    (service) =>
      new RegExp(`${service} service is successfully listening at http://[^:]+:(\\d+)`, "i").exec(output)?.[1],
  );
  return blob && queue && table ? { blob: Number(blob), queue: Number(queue), table: Number(table) } : undefined;
}

function explainExit(output: string, requested: Ports): string {
  const [, code, text] = /\b(E[A-Z]+)\b\D*[\d.]+:(\d+)/.exec(output) ?? [];
  const port = Number(text);
  const service = services.find((candidate) => requested[candidate] === port);
  const reason = service && explainPort(code, `storage emulator (Azurite, ${service})`, port, portVariables[service]);
  return reason ?? `The storage emulator (Azurite) ended while it was starting:\n${output}`;
}

function capitalise(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

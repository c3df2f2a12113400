import type { PipelinePolicy } from "@azure/core-rest-pipeline";
import type { TokenCredential } from "@azure/identity";
import {
  ApplicationInsightsSampler,
  type AzureMonitorExporterOptions,
  AzureMonitorMetricExporter,
  AzureMonitorTraceExporter,
} from "@azure/monitor-opentelemetry-exporter";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { createTelemetry, type Targets } from "./open-telemetry.ts";
import type { Telemetry } from "./telemetry.ts";

export interface TelemetryOptions {
  /** Of Application Insights. Its endpoint must be https, save on the same machine. */
  connectionString: string;
  /** Where the resource takes telemetry from identities only. */
  credential?: TokenCredential;
  /** Share of the invocations whose spans are kept, 0 to 1. Measurements are always complete. */
  samplingRatio: number;
  /** What the host calls the app, so that both are one in the application map. */
  role: string;
  instance?: string;
  targets: Targets;
  now: () => number;
  /** ClientReport, once in a while, that telemetry is being lost, and why. */
  onFailure(message: string): void;
}

/** How often measurements are sent. Spans go as soon as there are many, and after five seconds. */
const metricIntervalMs = 60_000;
/** A platform that ends an instance does not wait for long. */
const lastSendMs = 3_000;
/** Between two notices of failure. */
const noticeMs = 600_000;

/**
 * Telemetry by OpenTelemetry, to Application Insights. What cannot be sent is dropped, and nothing is kept on the disk.
 * Throws where the connection string makes no sense.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { connectionString, credential, samplingRatio, role, instance, targets, now } = options;
  // The exporter makes https of every address; on the same machine there is none.
  const host = /(?:^|;)\s*IngestionEndpoint=(http:\/\/(?:localhost|127\.\d+\.\d+\.\d+)[:/][^;]*)/i.exec(
    connectionString,
  )?.[1];
  const exporterOptions: AzureMonitorExporterOptions = {
    connectionString,
    disableOfflineStorage: true,
    additionalPolicies: [{ policy: createWatch(options), position: "perRetry" }],
    ...(host !== undefined && { host, allowInsecureConnection: true }),
    ...(credential && { credential }),
  };
  const resource = resourceFromAttributes({
    "service.name": role,
    ...(instance !== undefined && { "service.instance.id": instance }),
  });
  const tracers = new BasicTracerProvider({
    resource,
    sampler: new ApplicationInsightsSampler(samplingRatio),
    spanProcessors: [new BatchSpanProcessor(new AzureMonitorTraceExporter(exporterOptions))],
  });
  const meters = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new AzureMonitorMetricExporter(exporterOptions),
        exportIntervalMillis: metricIntervalMs,
      }),
    ],
  });
  const name = "face-liveness";
  return createTelemetry({
    tracer: tracers.getTracer(name),
    meter: meters.getMeter(name),
    targets,
    now,
    async shutdown() {
      const sent = Promise.allSettled([tracers.shutdown(), meters.shutdown()]);
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, lastSendMs);
      await Promise.race([sent, late]);
      clearTimeout(timer);
    },
  });
}

/**
 * Hears what Application Insights answers: the exporter itself takes an answer that may pass, such as 403 where the role is
 * missing, for a success once there is no disk to keep things on. Names and codes alone, as errors quote what they like.
 */
function createWatch({ now, onFailure }: Pick<TelemetryOptions, "now" | "onFailure">): PipelinePolicy {
  let next = 0;
  const tell = (message: string) => {
    if (now() < next) return;
    next = now() + noticeMs;
    onFailure(message);
  };
  return {
    name: "watchTelemetry",
    async sendRequest(request, send) {
      try {
        const response = await send(request);
        if (response.status !== 200) tell(`Application Insights answered ${response.status}.`);
        return response;
      } catch (error) {
        const code = error instanceof Error && "code" in error ? String(error.code) : "no code";
        tell(`Application Insights cannot be reached: ${error instanceof Error ? error.name : typeof error}, ${code}.`);
        throw error;
      }
    },
  };
}

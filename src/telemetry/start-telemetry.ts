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
import { compact } from "../compact.ts";
import { createTelemetry, type Targets } from "./open-telemetry.ts";
import type { Telemetry } from "./telemetry.ts";

export interface TelemetryOptions {
  /** Connection string of Application Insights. Its endpoint must be https, except on loopback. */
  connectionString: string;
  /** Required if the resource accepts telemetry from identities only. */
  credential?: TokenCredential;
  /** Share of invocations with spans, 0 to 1. Metrics are never sampled. */
  samplingRatio: number;
  /** The app's name at the host, so that both are one node in the application map. */
  role: string;
  instance?: string;
  targets: Targets;
  now: () => number;
  /** Called with the reason when telemetry is lost, at most once in ten minutes. */
  onFailure(message: string): void;
}

/** Interval between two exports of metrics. Spans are exported in batches, at the latest after five seconds. */
const metricIntervalMs = 60_000;
/** Timeout of the last export: the platform does not wait long when it ends an instance. */
const lastExportMs = 3_000;
/** Minimum time between two calls of `onFailure`. */
const failureIntervalMs = 600_000;

/**
 * Exports telemetry to Application Insights by OpenTelemetry. Telemetry that cannot be sent is dropped; nothing is written
 * to disk. Throws for an invalid connection string.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { connectionString, credential, samplingRatio, role, instance, targets, now } = options;
  // The exporter changes every endpoint to https, which a receiver on loopback does not support.
  const host = /(?:^|;)\s*IngestionEndpoint=(http:\/\/(?:localhost|127\.\d+\.\d+\.\d+)[:/][^;]*)/i.exec(
    connectionString,
  )?.[1];
  const exporterOptions: AzureMonitorExporterOptions = {
    connectionString,
    disableOfflineStorage: true,
    additionalPolicies: [{ policy: createFailurePolicy(options), position: "perRetry" }],
    ...(host !== undefined && { host, allowInsecureConnection: true }),
    ...compact({ credential }),
  };
  const resource = resourceFromAttributes(compact({ "service.name": role, "service.instance.id": instance }));
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
      const timer = setTimeout(resolve, lastExportMs);
      await Promise.race([sent, late]);
      clearTimeout(timer);
    },
  });
}

/**
 * Reports failed exports. The exporter itself treats a retryable response, such as 403 for a missing role, as a success if
 * it has no offline storage. Messages contain names and codes only, since error messages may contain data.
 */
function createFailurePolicy({ now, onFailure }: Pick<TelemetryOptions, "now" | "onFailure">): PipelinePolicy {
  let next = 0;
  const report = (message: string) => {
    if (now() < next) return;
    next = now() + failureIntervalMs;
    onFailure(message);
  };
  return {
    name: "reportFailedExports",
    async sendRequest(request, send) {
      try {
        const response = await send(request);
        if (response.status !== 200) report(`Application Insights answered ${response.status}.`);
        return response;
      } catch (error) {
        const code = error instanceof Error && "code" in error ? String(error.code) : "no code";
        const name = error instanceof Error ? error.name : typeof error;
        report(`Application Insights cannot be reached: ${name}, ${code}.`);
        throw error;
      }
    },
  };
}

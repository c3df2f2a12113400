import { createServer } from "node:http";
import type { TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import * as z from "zod";
import { listen } from "../../local/ports.ts";

const item = z.looseObject({
  name: z.string(),
  tags: z.record(z.string(), z.string()).default({}),
  data: z.looseObject({
    baseType: z.string(),
    baseData: z.looseObject({
      name: z.string().optional(),
      id: z.string().optional(),
      type: z.string().optional(),
      target: z.string().optional(),
      success: z.boolean().optional(),
      resultCode: z.string().optional(),
      properties: z.record(z.string(), z.string()).default({}),
      metrics: z
        .array(z.looseObject({ name: z.string(), value: z.number(), count: z.number().optional() }))
        .default([]),
    }),
  }),
});

export interface Span {
  name: string;
  id: string;
  trace: string;
  parent: string | undefined;
  type: string | undefined;
  target: string | undefined;
  success: boolean | undefined;
  resultCode: string | undefined;
  role: string | undefined;
  facts: Record<string, string>;
}

export interface Measurement {
  name: string;
  value: number;
  count: number | undefined;
  facts: Record<string, string>;
}

/** A stand-in for the ingestion endpoint of Application Insights. */
export interface TelemetryIntake {
  connectionString: string;
  requests(): number;
  /** All received bodies. */
  text(): string;
  spans(): Span[];
  measurements(name: string): Measurement[];
}

export async function startTelemetryIntake(t: TestContext, status = 200): Promise<TelemetryIntake> {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString("utf8");
    bodies.push(text);
    const received = items(text).length;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ itemsReceived: received, itemsAccepted: status === 200 ? received : 0, errors: [] }));
  });
  const port = await listen(server);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const all = () => bodies.flatMap(items);
  return {
    connectionString: `InstrumentationKey=11111111-2222-3333-4444-555555555555;IngestionEndpoint=http://127.0.0.1:${port}/`,
    requests: () => bodies.length,
    text: () => bodies.join("\n"),
    spans: () =>
      all()
        .filter(({ data }) => data.baseType === "RemoteDependencyData")
        .map(({ tags, data: { baseData } }) => ({
          name: baseData.name ?? "",
          id: baseData.id ?? "",
          trace: tags["ai.operation.id"] ?? "",
          parent: tags["ai.operation.parentId"],
          type: baseData.type,
          target: baseData.target,
          success: baseData.success,
          resultCode: baseData.resultCode,
          role: tags["ai.cloud.role"],
          facts: baseData.properties,
        })),
    measurements: (name) =>
      all()
        .filter(({ data }) => data.baseType === "MetricData")
        .flatMap(({ data: { baseData } }) =>
          baseData.metrics
            .filter((metric) => metric.name === name)
            .map(({ value, count }) => ({ name, value, count, facts: baseData.properties })),
        ),
  };
}

/** A body is an array, or has one item per line. */
function items(text: string): z.infer<typeof item>[] {
  const list: unknown[] = text.startsWith("[") ? JSON.parse(text) : text.split("\n").map((line) => JSON.parse(line));
  return list.map((each) => item.parse(each));
}

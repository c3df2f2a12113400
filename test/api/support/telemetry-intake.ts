import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import * as z from "zod";
import { listenFor } from "./listen-for.ts";

const item = z.looseObject({
  name: z.string(),
  tags: z.record(z.string(), z.string()).default({}),
  data: z.looseObject({
    baseType: z.string(),
    baseData: z.looseObject({
      name: z.string().default(""),
      id: z.string().default(""),
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

/** A stand-in for the ingestion endpoint of Application Insights, which answers each request with `status`. */
export async function startTelemetryIntake(t: Parameters<typeof listenFor>[0], status = 200) {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString("utf8");
    bodies.push(text);
    const received = items(text).length;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ itemsReceived: received, itemsAccepted: status === 200 ? received : 0, errors: [] }));
  });
  const port = await listenFor(t, server);
  const ofType = (type: string) => bodies.flatMap(items).filter(({ data }) => data.baseType === type);
  return {
    connectionString: `InstrumentationKey=11111111-2222-3333-4444-555555555555;IngestionEndpoint=http://127.0.0.1:${port}/`,
    requests: () => bodies.length,
    /** All received bodies. */
    text: () => bodies.join("\n"),
    spans: () =>
      ofType("RemoteDependencyData").map(({ tags, data: { baseData } }) => ({
        ...baseData,
        trace: tags["ai.operation.id"] ?? "",
        parent: tags["ai.operation.parentId"],
        role: tags["ai.cloud.role"],
        facts: baseData.properties,
      })),
    measurements: (name: string) =>
      ofType("MetricData").flatMap(({ data: { baseData } }) =>
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

import { type ApiVersion, apiVersions } from "../../src/face/model.ts";
import type { Access, Endpoint } from "../../src/http/endpoint.ts";
import { createErrorAnswers, errorsOf, type ReferencedAnswer } from "./errors.ts";
import { examples } from "./examples.ts";
import type { AnswerShape, BodyShape, OperationShape } from "./operation.ts";
import { operations } from "./operations/operations.ts";
import { createSchemas, headersOf, type JsonSchema, propertiesOf, type Schemas } from "./schemas.ts";

/** The subset of an OpenAPI document that is generated here. */
export interface OpenApiDocument {
  openapi: "3.1.0";
  info: JsonSchema & { title: string; version: string };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  /** Operations by path and lower-case method. */
  paths: Record<string, Record<string, Operation>>;
  components: Record<"schemas" | "responses" | "securitySchemes", Record<string, JsonSchema>>;
}

export interface Operation {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters: JsonSchema[];
  requestBody?: JsonSchema;
  /** By status, or `default`. */
  responses: Record<string, JsonSchema | ReferencedAnswer>;
}

/**
 * The OpenAPI document, generated from the endpoints and their schemas. It is the same for every deployment. Each version of
 * the Face API has its own paths, so that no path has a version parameter.
 *
 * @param version of the app.
 */
export function describeApi(endpoints: readonly Endpoint[], version: string): OpenApiDocument {
  const schemas = createSchemas();
  const errors = createErrorAnswers(schemas);
  const paths: OpenApiDocument["paths"] = {};
  const tags = new Map<string, string>();
  for (const endpoint of endpoints) {
    for (const apiVersion of endpoint.versions ?? [undefined]) {
      const shape = operations[endpoint.name]?.(apiVersion ?? apiVersions[0]);
      if (shape === undefined) continue;
      const tag = tagOf(endpoint.route, apiVersion);
      tags.set(tag.name, tag.description);
      const operation: Operation = {
        operationId: apiVersion === undefined ? endpoint.name : `${endpoint.name}_${apiVersion}`,
        summary: endpoint.summary,
        description: accessDescriptions[endpoint.access],
        tags: [tag.name],
        security: securityOf(endpoint),
        parameters: parametersOf(endpoint, shape),
        ...(shape.body && { requestBody: bodyOf(shape.body, schemas, examples[endpoint.name]?.request) }),
        responses: {
          ...answersOf(shape, schemas, examples[endpoint.name]?.answers),
          ...errors.answersFor(errorsOf(endpoint, shape), shape.callsFace === true),
        },
      };
      const path = `/${endpoint.route.replace("{apiVersion}", apiVersion ?? "")}`;
      const own = Object.fromEntries(endpoint.methods.map((method) => [method.toLowerCase(), operation]));
      paths[path] = { ...paths[path], ...own };
    }
  }
  return {
    openapi: "3.1.0",
    info: { title: "Face liveness", version, description, license: { name: "MIT", identifier: "MIT" } },
    servers: [{ url: "/" }],
    tags: [...tags].map(([name, description]) => ({ name, description })),
    paths,
    components: { schemas: schemas.components, responses: errors.components, securitySchemes },
  };
}

const description = `Creates, reads, settles and revokes face-liveness sessions, with the operations of the Face API and operations of this app.

This document is the same for every deployment. A deployment may refuse valid creations: with 400
\`DeviceSetInClientDisabled\` if its settings require a \`deviceCorrelationId\`, and with 400 \`NotSupportedByUpstreamVersion\`
if the Face API version that it calls does not support a field.

Errors have the shape of the Face API; the header \`x-ms-error-code\` repeats the code. String lengths count UTF-16 code
units, and strings must be well-formed Unicode. \`GET api/error-codes\` lists all codes with advice. Responses must not be
cached, unless \`cache-control\` permits it. Every \`GET\` operation also supports \`HEAD\`.`;

const securitySchemes: Record<string, JsonSchema> = {
  subscriptionKey: {
    type: "apiKey",
    in: "header",
    name: "Ocp-Apim-Subscription-Key",
    description: "A client key, in the header of the Face API's client libraries. Makes the caller a trusted service.",
  },
  functionsKey: {
    type: "apiKey",
    in: "header",
    name: "x-functions-key",
    description: "The same key, in the header of Azure Functions clients.",
  },
  signIn: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description:
      "A token for App Service Authentication, if enabled. Sessions that a user opens belong to that user. The role " +
      "`Liveness.Service` makes the caller a trusted service; `Liveness.Reviewer` permits the outcomes of all devices.",
  },
};

function securityOf({ access }: Endpoint): Operation["security"] {
  if (access === "everyone") return [];
  return Object.keys(securitySchemes).map((name) => ({ [name]: [] }));
}

const accessDescriptions: Record<Access, string> = {
  everyone: "No authentication required.",
  callers: "Signed-in users see only their own resources; trusted services see all, except users' reference images.",
  reviewers: "For trusted services and users with the role `Liveness.Reviewer`; other callers get 404.",
  services: "For trusted services only; other callers get 404.",
};

/** The tag of an operation: a version of the Face API, or a resource of the app. */
function tagOf(route: string, version: ApiVersion | undefined): { name: string; description: string } {
  if (version !== undefined) {
    return { name: `Face API ${version}`, description: `Session operations of version ${version} of the Face API.` };
  }
  const resource = route.split("/")[1] ?? "";
  return ownTags[resource] ?? { name: "Description", description: "This document, and a page that displays it." };
}

const ownTags: Record<string, { name: string; description: string }> = {
  sessions: {
    name: "Sessions",
    description:
      "Sessions and outcomes from the app's tables, available after the Face service has deleted the session.",
  },
  devices: { name: "Devices", description: "Sessions of a device, and erasure of its data." },
  users: { name: "Users", description: "Sessions of a user on all devices, and erasure of its data." },
  events: { name: "Events", description: "Announcements of outcomes, lockouts and erasures, and their deliveries." },
  webhooks: { name: "Webhooks", description: "Tests of receivers." },
  outcomes: { name: "Outcomes", description: "Outcomes of all devices: lists and exports." },
  statistics: { name: "Statistics", description: "Counts of the outcomes of all devices." },
  "reference-images": {
    name: "Reference images",
    description: "Stored images. A session can be created with the id of one in place of an upload.",
  },
  "error-codes": { name: "Error codes", description: "Meaning of errors and reasons, with advice." },
  health: { name: "Health", description: "Health of the app, for probes." },
};

function parametersOf({ params, query }: Endpoint, { headers }: OperationShape): JsonSchema[] {
  const inPath = propertiesOf(params)
    .filter(({ name }) => name !== "apiVersion")
    .map((parameter) => ({ ...parameter, in: "path", required: true }));
  const inQuery = propertiesOf(query).map((parameter) => ({ ...parameter, in: "query" }));
  const inHeader = headers === undefined ? [] : propertiesOf(headers).map((header) => ({ ...header, in: "header" }));
  return [...inPath, ...inQuery, ...inHeader].map(({ description: text, ...parameter }) => ({
    ...parameter,
    ...(text !== undefined && { description: text }),
  }));
}

function bodyOf({ required = true, content }: BodyShape, schemas: Schemas, example: unknown): JsonSchema {
  const media = Object.entries(content).map(([type, shape]) => {
    const schema = schemas.schemaOf(shape, "input");
    const isJson = type === "application/json";
    return [
      type,
      {
        schema,
        ...(isJson && example !== undefined && { example }),
        ...(type === "multipart/form-data" && encodingOf(schema)),
      },
    ];
  });
  return { required, content: Object.fromEntries(media) };
}

/** Parts of a form that are objects are sent as JSON. */
function encodingOf({ properties }: JsonSchema): JsonSchema {
  const parts = typeof properties === "object" && properties !== null ? Object.entries(properties) : [];
  const objects = parts
    .filter(([, part]) => "$ref" in part)
    .map(([name]) => [name, { contentType: "application/json" }]);
  return objects.length === 0 ? {} : { encoding: Object.fromEntries(objects) };
}

function answersOf({ answers }: OperationShape, schemas: Schemas, examples: Record<number, unknown> = {}) {
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => [status, answerOf(answer, schemas, examples[Number(status)])]),
  );
}

function answerOf({ description, headers, json, bytes = [] }: AnswerShape, schemas: Schemas, example: unknown) {
  const content = {
    ...(json && {
      "application/json": {
        schema: schemas.schemaOf(json, "output"),
        ...(example !== undefined && { example }),
      },
    }),
    ...Object.fromEntries(bytes.map((type) => [type, { schema: { type: "string", format: "binary" } }])),
  };
  return {
    description,
    ...(headers && { headers: headersOf(headers) }),
    ...(Object.keys(content).length > 0 && { content }),
  };
}

import type { ApiVersion } from "../face/model.ts";
import type { Access, Endpoint } from "./endpoint.ts";
import { createErrorAnswers, errorsOf, type ReferencedAnswer } from "./openapi-errors.ts";
import { createSchemas, headersOf, type JsonSchema, propertiesOf, type Schemas } from "./openapi-schemas.ts";
import type { AnswerShape, BodyShape, Deployment, OperationShape } from "./operation.ts";

/** An OpenAPI document, as far as it is made here. */
export interface OpenApiDocument {
  openapi: "3.1.0";
  info: JsonSchema & { title: string; version: string };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  /** By path and method. */
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

/** JSON that goes in and comes out, by the function's name; answers by their status. */
export type Examples = Record<string, { request?: unknown; answers?: Record<number, unknown> }>;

export interface DescriptionOptions {
  deployment: Deployment;
  /** Of the app. */
  version: string;
  examples: Examples;
}

/**
 * The description of everything that can be called: each version of the Face API with paths of its own, so that nothing in
 * a path is left to guess. Made of the endpoints and their shapes, and of nothing else.
 */
export function describeApi(
  endpoints: readonly Endpoint[],
  { deployment, version, examples }: DescriptionOptions,
): OpenApiDocument {
  const schemas = createSchemas();
  const errors = createErrorAnswers(schemas);
  const paths: OpenApiDocument["paths"] = {};
  const tags = new Map<string, string>();
  for (const endpoint of endpoints) {
    for (const apiVersion of endpoint.versions ?? [undefined]) {
      const shape = endpoint.describe?.(apiVersion ?? deployment.upstream, deployment);
      if (shape === undefined) continue;
      const tag = tagOf(endpoint.route, apiVersion);
      tags.set(tag.name, tag.description);
      const operation: Operation = {
        operationId: apiVersion === undefined ? endpoint.name : `${endpoint.name}_${apiVersion}`,
        summary: endpoint.summary,
        description: whoMayCall[endpoint.access],
        tags: [tag.name],
        security: securityOf(endpoint, deployment),
        parameters: parametersOf(endpoint, shape),
        ...(shape.body && { requestBody: bodyOf(shape.body, schemas, examples[endpoint.name]?.request) }),
        responses: {
          ...answersOf(shape, schemas, examples[endpoint.name]?.answers),
          ...errors.answersFor(errorsOf(endpoint, shape), shape.asksFace === true),
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

const description = `Opens, watches, settles and revokes face-liveness sessions, in the words of the Face API and in our own.

Every error has the shape of the Face API, with its code again in \`x-ms-error-code\`. Strings are counted in UTF-16 code
units and must be well-formed Unicode. No answer may be cached. \`HEAD\` is answered wherever \`GET\` is, without the body.`;

const securitySchemes: Record<string, JsonSchema> = {
  subscriptionKey: {
    type: "apiKey",
    in: "header",
    name: "Ocp-Apim-Subscription-Key",
    description: "A client key, as the client libraries of the Face API send theirs. The caller is a trusted service.",
  },
  functionsKey: {
    type: "apiKey",
    in: "header",
    name: "x-functions-key",
    description: "The same key, as the platform's own clients send theirs.",
  },
  signIn: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description:
      "A token for App Service Authentication, where that is on. What such a caller opens belongs to it; with the role " +
      "`Liveness.Service` it is a trusted service.",
  },
};

function securityOf({ access }: Endpoint, { allowAnonymous }: Deployment): Operation["security"] {
  if (access === "everyone") return [];
  const ways = Object.keys(securitySchemes).map((name) => ({ [name]: [] }));
  return allowAnonymous ? [{}, ...ways] : ways;
}

const whoMayCall: Record<Access, string> = {
  everyone: "Nobody is asked who they are.",
  callers: "What a signed-in user has opened is there for that user and for trusted services, and for nobody else.",
  services: "For trusted services only: to others there is nothing here.",
};

/** What an operation belongs to: a version of the Face API, or one of our own resources. */
function tagOf(route: string, version: ApiVersion | undefined): { name: string; description: string } {
  if (version !== undefined) {
    return { name: `Face API ${version}`, description: `Sessions in the words of version ${version} of the Face API.` };
  }
  const resource = route.split("/")[1] ?? "";
  return ownTags[resource] ?? { name: "Description", description: "This description, and a page to read it on." };
}

const ownTags: Record<string, { name: string; description: string }> = {
  sessions: {
    name: "Sessions",
    description: "Sessions with their outcomes, from our own store, long after the Face API has forgotten them.",
  },
  devices: { name: "Devices", description: "What is known of a device, and how it is erased." },
  "reference-images": {
    name: "Reference images",
    description: "Images that are held here, so that a session is opened with an id in place of an upload.",
  },
  health: { name: "Health", description: "For probes." },
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
  const media = Object.entries(content).map(([type, { shape, rule }]) => {
    const schema = schemas.schemaOf(shape, "input");
    const isJson = type === "application/json";
    return [
      type,
      {
        schema: rule === undefined ? schema : { allOf: [schema, { title: "What is taken here", ...rule }] },
        ...(isJson && example !== undefined && { example }),
        ...(type === "multipart/form-data" && encodingOf(schema)),
      },
    ];
  });
  return { required, content: Object.fromEntries(media) };
}

/** A part that is an object comes as JSON. */
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

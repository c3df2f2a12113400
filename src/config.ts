import * as z from "zod";
import { compact } from "./compact.ts";
import type { EventsConfig } from "./events/targets.ts";
import { apiVersions } from "./face/model.ts";
import type { CallerRules } from "./http/callers.ts";
import type { DecisionRules, Limits, OpeningPolicy, Retention } from "./liveness/model/settings.ts";
import {
  clientKeys,
  emptyIsUnset,
  faceEndpoint,
  flag,
  fractionOr,
  integerOr,
  optional,
  orDefault,
  secret,
  serviceUri,
  topicEndpoint,
  webhookEndpoints,
} from "./setting-shapes.ts";

/**
 * The only file that reads environment variables. `settings` below defines every setting with its bounds and default. Tests
 * compare the settings tables of the documents and the sample settings with it; `meta().accepts` is the text of the column
 * "range".
 */

/** All app settings by name. */
export const settings = z.object({
  FACE_ENDPOINT: z.preprocess(emptyIsUnset, z.string("is required").pipe(faceEndpoint)),
  FACE_KEY: optional(z.string()),
  FACE_API_VERSION: orDefault(z.enum(apiVersions, `must be one of ${apiVersions.join(", ")}`), "v1.2").meta({
    accepts: apiVersions.map((version) => `\`${version}\``).join(", "),
  }),
  USER_ID_KEY: secret(32, 256),
  FACE_TIMEOUT_SECONDS: integerOr(30, 1, 200),
  AzureWebJobsStorage: optional(
    z
      .string()
      .regex(/(^|;)\s*(AccountName|UseDevelopmentStorage|TableEndpoint)=/i, "must be a storage connection string"),
  ),
  AzureWebJobsStorage__accountName: optional(
    z.string().regex(/^[a-z0-9]{3,24}$/, "must be the name of a storage account"),
  ),
  AzureWebJobsStorage__blobServiceUri: optional(serviceUri),
  AzureWebJobsStorage__tableServiceUri: optional(serviceUri),
  AzureWebJobsStorage__clientId: optional(z.string()),
  AZURE_CLIENT_ID: optional(z.string()),
  CLIENT_KEYS: orDefault(clientKeys, {}),
  ALLOW_ANONYMOUS: flag(false),
  WEBSITE_AUTH_ENABLED: flag(false),
  WEBSITE_INSTANCE_ID: optional(z.string()),
  WEBSITE_POD_NAME: optional(z.string()),
  WEBSITE_SITE_NAME: optional(z.string()),
  APPLICATIONINSIGHTS_CONNECTION_STRING: optional(z.string()),
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: optional(z.string()),
  TELEMETRY_SAMPLING_RATIO: fractionOr(1),
  REQUIRE_CLIENT_DIGEST: flag(false),
  VERIFY_CONFIDENCE_FLOOR: fractionOr(0),
  ALLOW_DEVICE_SET_IN_CLIENT: flag(false),
  // The maximum fits into one property of a table row, which stores the creation times.
  CREATION_LIMIT: integerOr(10, 1, 1000),
  CREATION_WINDOW_SECONDS: integerOr(600, 1, 86_400),
  OWNER_CREATION_LIMIT: integerOr(20, 1, 1000),
  OWNER_IMAGE_LIMIT: integerOr(20, 1, 1000),
  LOCKOUT_REJECTIONS: integerOr(5, 1, 1000),
  LOCKOUT_SECONDS: integerOr(1800, 1, 604_800),
  SESSION_RETENTION_HOURS: integerOr(48, 1, 720),
  OUTCOME_RETENTION_DAYS: integerOr(90, 1, 3650),
  REFERENCE_IMAGE_RETENTION_DAYS: integerOr(0, 0, 3650),
  MAINTENANCE_CONCURRENCY: integerOr(32, 1, 256),
  MAINTENANCE_FACE_CALLS_PER_SECOND: integerOr(5, 1, 1000),
  MAINTENANCE_BUDGET_SECONDS: integerOr(240, 5, 1800),
  WEBHOOK_ENDPOINTS: orDefault(webhookEndpoints, []),
  EVENT_GRID_TOPIC_ENDPOINT: optional(topicEndpoint),
});

type Settings = z.infer<typeof settings>;

/** Storage endpoints and credentials. */
export type StorageConfig =
  | { connectionString: string }
  | { tableUri: string; blobUri: string; identityClientId: string | undefined };

export interface Config {
  face: {
    /** Without a trailing slash. */
    endpoint: string;
    /** Undefined: the app uses its identity. */
    key: string | undefined;
    apiVersion: Settings["FACE_API_VERSION"];
    timeoutSeconds: number;
    identityClientId: string | undefined;
  };
  storage: StorageConfig;
  callers: CallerRules;
  rules: DecisionRules;
  policy: OpeningPolicy;
  limits: Limits;
  retention: Retention;
  maintenance: { concurrency: number; faceCallsPerSecond: number; budgetSeconds: number };
  events: EventsConfig;
  /** Undefined: no telemetry is sent to Application Insights. */
  telemetry: TelemetryConfig | undefined;
}

export interface TelemetryConfig {
  connectionString: string;
  /** The identity that sends telemetry; its `clientId` is undefined for the system-assigned one. Undefined: no identity. */
  identity: { clientId: string | undefined } | undefined;
  /** Share of invocations with spans, 0 to 1. */
  samplingRatio: number;
  /** The app's name in Azure. */
  role: string;
  instance: string | undefined;
}

/** A missing or wrong setting. The message never contains its value. */
export interface SettingFault {
  setting: string;
  message: string;
}

/** Reads and checks all settings. Returns all faults together, so that one deployment can correct them. */
export function readConfig(env: Record<string, string | undefined>): { config: Config } | { faults: SettingFault[] } {
  // Settings are parsed once: compiling a parser for them, as zod does by default, would take longer than the parsing.
  const parsed = settings.safeParse(env, { jitless: true });
  const faults = [
    ...unresolvedReferences(env),
    ...(parsed.success ? [] : faultsOf(parsed.error)).filter(({ setting }) => !isUnresolved(env[setting])),
    ...contradictions(env),
  ];
  const storage = parsed.success ? storageOf(parsed.data) : undefined;
  if (!parsed.success || storage === undefined || faults.length > 0) return { faults };
  const read = parsed.data;
  return {
    config: {
      face: {
        endpoint: read.FACE_ENDPOINT,
        key: read.FACE_KEY,
        apiVersion: read.FACE_API_VERSION,
        timeoutSeconds: read.FACE_TIMEOUT_SECONDS,
        identityClientId: read.AZURE_CLIENT_ID,
      },
      storage,
      callers: {
        clientKeys: new Map(Object.entries(read.CLIENT_KEYS)),
        allowAnonymous: read.ALLOW_ANONYMOUS,
        platformAuthentication: read.WEBSITE_AUTH_ENABLED,
      },
      rules: { requireClientDigest: read.REQUIRE_CLIENT_DIGEST },
      policy: compact({
        allowDeviceSetInClient: read.ALLOW_DEVICE_SET_IN_CLIENT,
        confidenceFloor: read.VERIFY_CONFIDENCE_FLOOR,
        userIdKey: read.USER_ID_KEY,
      }),
      limits: {
        creations: read.CREATION_LIMIT,
        ownerCreations: read.OWNER_CREATION_LIMIT,
        ownerImages: read.OWNER_IMAGE_LIMIT,
        windowSeconds: read.CREATION_WINDOW_SECONDS,
        lockoutRejections: read.LOCKOUT_REJECTIONS,
        lockoutSeconds: read.LOCKOUT_SECONDS,
      },
      retention: {
        sessionHours: read.SESSION_RETENTION_HOURS,
        outcomeDays: read.OUTCOME_RETENTION_DAYS,
        // 0 means no maximum age.
        ...compact({ referenceImageDays: read.REFERENCE_IMAGE_RETENTION_DAYS || undefined }),
      },
      maintenance: {
        concurrency: read.MAINTENANCE_CONCURRENCY,
        faceCallsPerSecond: read.MAINTENANCE_FACE_CALLS_PER_SECOND,
        budgetSeconds: read.MAINTENANCE_BUDGET_SECONDS,
      },
      events: {
        source: encodeURIComponent(appName(read)),
        endpoints: read.WEBHOOK_ENDPOINTS,
        allowsPrivateAddresses: !isInAzure(read),
        ...compact({ eventGridTopic: read.EVENT_GRID_TOPIC_ENDPOINT }),
      },
      telemetry: telemetryOf(read),
    },
  };
}

function telemetryOf(read: Settings): TelemetryConfig | undefined {
  if (read.APPLICATIONINSIGHTS_CONNECTION_STRING === undefined) return undefined;
  // The format of the host's own setting: `Authorization=AAD`, with `ClientId=…` for a user-assigned identity.
  const authentication = read.APPLICATIONINSIGHTS_AUTHENTICATION_STRING ?? "";
  const clientId = /(?:^|;)\s*ClientId=([^;]+)/i.exec(authentication)?.[1]?.trim();
  return {
    connectionString: read.APPLICATIONINSIGHTS_CONNECTION_STRING,
    identity: /(^|;)\s*Authorization=AAD\b/i.test(authentication) ? { clientId } : undefined,
    samplingRatio: read.TELEMETRY_SAMPLING_RATIO,
    role: appName(read),
    instance: read.WEBSITE_INSTANCE_ID ?? read.WEBSITE_POD_NAME,
  };
}

function appName({ WEBSITE_SITE_NAME }: Settings): string {
  return WEBSITE_SITE_NAME ?? "face-liveness";
}

/** On the Flex Consumption plan only `WEBSITE_POD_NAME` is set. */
function isInAzure(read: Pick<Settings, "WEBSITE_INSTANCE_ID" | "WEBSITE_POD_NAME">): boolean {
  return (read.WEBSITE_INSTANCE_ID ?? read.WEBSITE_POD_NAME) !== undefined;
}

/** Whether a setting is a Key Vault reference that the platform could not replace by the secret. */
function isUnresolved(value: string | undefined): boolean {
  return value?.trimStart().startsWith("@Microsoft.KeyVault(") === true;
}

function unresolvedReferences(env: Record<string, string | undefined>): SettingFault[] {
  const message =
    "is a Key Vault reference that the platform has not resolved: the secret is missing, or the app's role on the vault " +
    'has not taken effect yet (up to ten minutes); refresh the references then, see infra/README.md "A setting is unresolved"';
  return Object.keys(settings.shape)
    .filter((setting) => isUnresolved(env[setting]))
    .map((setting) => ({ setting, message }));
}

/** The faults without duplicates: a list such as the client keys can have the same fault several times. */
function faultsOf({ issues }: z.ZodError): SettingFault[] {
  const faults = issues.map(({ path, message }) => ({ setting: String(path[0]), message }));
  return [...new Map(faults.map((fault) => [`${fault.setting} ${fault.message}`, fault])).values()];
}

const faceSettings = settings.pick({ FACE_ENDPOINT: true, FACE_KEY: true });
const userIdSettings = settings.pick({ FACE_API_VERSION: true, USER_ID_KEY: true });
const platformSettings = settings.pick({ WEBSITE_INSTANCE_ID: true, WEBSITE_POD_NAME: true });
const { ALLOW_ANONYMOUS, WEBHOOK_ENDPOINTS } = settings.shape;
const storageSettings = settings.pick({
  AzureWebJobsStorage: true,
  AzureWebJobsStorage__accountName: true,
  AzureWebJobsStorage__blobServiceUri: true,
  AzureWebJobsStorage__tableServiceUri: true,
  AzureWebJobsStorage__clientId: true,
  AZURE_CLIENT_ID: true,
});

/** Faults of settings that are valid one by one, but not in combination. */
function* contradictions(env: Record<string, string | undefined>): Generator<SettingFault> {
  const face = faceSettings.safeParse(env).data;
  if (face && face.FACE_KEY === undefined && takesKeysOnly(face.FACE_ENDPOINT)) {
    yield {
      setting: "FACE_KEY",
      message:
        "is required with a regional endpoint, which takes keys only; an identity needs the resource's own subdomain",
    };
  }
  const userIds = userIdSettings.safeParse(env).data;
  if (userIds?.FACE_API_VERSION === "v1.3-preview.1" && userIds.USER_ID_KEY === undefined) {
    // Clients of older versions send no user id, which this version requires.
    yield { setting: "USER_ID_KEY", message: "is required with FACE_API_VERSION v1.3-preview.1" };
  }
  const platform = platformSettings.safeParse(env).data;
  if (platform && isInAzure(platform)) {
    if (ALLOW_ANONYMOUS.safeParse(env.ALLOW_ANONYMOUS).data) {
      yield { setting: "ALLOW_ANONYMOUS", message: "is for the local stack and refused in Azure" };
    }
    const urls = WEBHOOK_ENDPOINTS.safeParse(env.WEBHOOK_ENDPOINTS).data?.map(({ url }) => new URL(url)) ?? [];
    if (urls.some(({ protocol }) => protocol !== "https:")) {
      yield { setting: "WEBHOOK_ENDPOINTS", message: "must have https URLs only in Azure" };
    }
  }
  const storage = storageSettings.safeParse(env).data;
  if (storage && storageOf(storage) === undefined) {
    yield {
      setting: "AzureWebJobsStorage",
      message:
        "is required, or AzureWebJobsStorage__accountName, or both AzureWebJobsStorage__tableServiceUri and __blobServiceUri",
    };
  }
}

function takesKeysOnly(endpoint: string): boolean {
  return new URL(endpoint).hostname.endsWith(".api.cognitive.microsoft.com");
}

function storageOf(read: z.infer<typeof storageSettings>): StorageConfig | undefined {
  const account = read.AzureWebJobsStorage__accountName;
  const tableUri =
    read.AzureWebJobsStorage__tableServiceUri ?? (account && `https://${account}.table.core.windows.net`);
  const blobUri = read.AzureWebJobsStorage__blobServiceUri ?? (account && `https://${account}.blob.core.windows.net`);
  if (read.AzureWebJobsStorage !== undefined) return { connectionString: read.AzureWebJobsStorage };
  if (!tableUri || !blobUri) return undefined;
  return { tableUri, blobUri, identityClientId: read.AzureWebJobsStorage__clientId ?? read.AZURE_CLIENT_ID };
}

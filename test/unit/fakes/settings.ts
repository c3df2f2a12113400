import assert from "node:assert/strict";
import { type Config, readConfig, type SettingFault } from "../../../src/config.ts";

export type Env = Record<string, string | undefined>;

export const endpoint = "https://a-resource.cognitiveservices.azure.com";
export const connectionString = "UseDevelopmentStorage=true";
export const minimal: Env = { FACE_ENDPOINT: endpoint, AzureWebJobsStorage: connectionString };

export function configOf(env: Env, base: Env = minimal): Config {
  const read = readConfig({ ...base, ...env });
  if ("faults" in read) assert.fail(`Faults: ${JSON.stringify(read.faults)}`);
  return read.config;
}

export function faultsOf(env: Env, base: Env = minimal): SettingFault[] {
  const read = readConfig({ ...base, ...env });
  return "faults" in read ? read.faults : [];
}

/** The fault of settings without storage. */
export const storageMissing = {
  setting: "AzureWebJobsStorage",
  message:
    "is required, or AzureWebJobsStorage__accountName, or both AzureWebJobsStorage__tableServiceUri and __blobServiceUri",
};

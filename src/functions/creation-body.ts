import { carryOver, carryOverRules, modelVersionFields } from "../face/carry-over.ts";
import { codecs } from "../face/codecs.ts";
import type { ApiVersion, SessionKind, SessionRequest } from "../face/model.ts";
import type { BodyShape, Deployment } from "../http/operation.ts";

/**
 * What opens a session in a version, for the API's description: what the version takes, and of that what this deployment
 * refuses by its settings or since the version upstream has no equivalent.
 */
export function creationBody(version: ApiVersion, kind: SessionKind, deployment: Deployment): BodyShape {
  const { json, multipart } = codecs[version].shapes(kind).create;
  const rules = fieldRules(version, kind, deployment);
  const inForm = version === "v1.2" ? all(rules) : { properties: { Parameters: all(rules) } };
  return {
    content: {
      "application/json": { shape: json, rule: all([...rules, ...imageRules(version, kind, deployment)]) },
      ...(multipart && { "multipart/form-data": { shape: multipart, rule: rules.length > 0 ? inForm : undefined } }),
    },
  };
}

function all([first, ...others]: object[]): object | undefined {
  return others.length > 0 ? { allOf: [first, ...others] } : first;
}

function fieldRules(version: ApiVersion, kind: SessionKind, { upstream, allowDeviceSetInClient }: Deployment) {
  const rules: object[] = [];
  if (!allowDeviceSetInClient) {
    rules.push({
      required: ["deviceCorrelationId"],
      properties: { deviceCorrelationId: { type: "string" }, deviceCorrelationIdSetInClient: { const: false } },
    });
  }
  for (const { field, towards, verifyOnly } of carryOverRules) {
    const isKnown = towards[version].startsWith("carried") && !(verifyOnly && kind === "liveness");
    if (field === "clientVerifyImage" || !isKnown) continue;
    if (field === "verifyConfidenceThreshold") {
      if (isRefused(upstream, kind, { [field]: 0.5 })) rules.push(without(field));
    } else if (field === "modelVersion") {
      const asked = { modelVersion: "any", modelVersionOf: version };
      if (isRefused(upstream, kind, asked)) rules.push(without(modelVersionFields[version] ?? field));
    } else if (isRefused(upstream, kind, { [field]: true })) {
      rules.push({ properties: { [field]: { const: false } } });
    }
  }
  return rules;
}

/** For JSON, which brings no image: one that is held, or the device submits one, which may have to be an expected one. */
function imageRules(version: ApiVersion, kind: SessionKind, { upstream }: Deployment): object[] {
  if (kind === "liveness" || version === "v1.2") return [];
  if (isRefused(upstream, kind, {}, "from the device")) return [{ required: ["referenceImageId"] }];
  const isHashRefused = isRefused(upstream, kind, { returnVerifyImageHash: true });
  return isHashRefused ? [without("expectedReferenceImageId")] : [];
}

function without(field: string): object {
  return { properties: { [field]: { not: {} } } };
}

/** Asks the very function that refuses. */
function isRefused(
  upstream: ApiVersion,
  kind: SessionKind,
  asked: Partial<SessionRequest>,
  image: "sent" | "from the device" = "sent",
): boolean {
  const request: SessionRequest = {
    livenessOperationMode: "Passive",
    deviceCorrelationIdSetInClient: false,
    authTokenTimeToLiveInSeconds: 600,
    ...asked,
  };
  const isSent = kind === "livenessWithVerify" && image === "sent";
  try {
    carryOver(upstream, kind, request, isSent ? { bytes: new Uint8Array() } : undefined);
    return false;
  } catch {
    return true;
  }
}

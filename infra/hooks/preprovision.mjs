// Registers the resource providers that the deployment needs, and waits until they are registered. A deployment itself
// registers only the providers of resources in its template. The delegation of a subnet to Microsoft.App/environments is not
// a resource, so a deployment with PRIVATE_NETWORK would fail halfway.
//
// azd runs this file before provisioning, on the machine's own Node.js. It is plain JavaScript without dependencies, as
// node_modules may not exist yet.
import { execFile } from "node:child_process";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/** Namespaces of the resources in infra/. Microsoft.Authorization and Microsoft.Resources are always registered. */
export const providers = [
  "Microsoft.CognitiveServices",
  "Microsoft.EventGrid",
  "Microsoft.Insights",
  "Microsoft.KeyVault",
  "Microsoft.ManagedIdentity",
  "Microsoft.OperationalInsights",
  "Microsoft.Storage",
  "Microsoft.Web",
];
/** Additional namespaces with PRIVATE_NETWORK. */
export const privateNetworkProviders = ["Microsoft.App", "Microsoft.Network"];

const resourceManager = "https://management.azure.com";
const apiVersion = "2021-04-01";
const pollMs = 5_000;
/** Ten minutes; a registration usually takes one. */
const maxPolls = 120;

/**
 * @param {{
 *   subscriptionId: string;
 *   namespaces: string[];
 *   request: (method: "GET" | "POST", url: string) => Promise<{ status: number; body: any }>;
 *   wait: (ms: number) => Promise<unknown>;
 *   print: (line: string) => void;
 * }} options
 */
export async function registerProviders({ subscriptionId, namespaces, request, wait, print }) {
  const url = (/** @type {string} */ namespace, action = "") =>
    `${resourceManager}/subscriptions/${subscriptionId}/providers/${namespace}${action}?api-version=${apiVersion}`;

  const isRegistered = async (/** @type {string} */ namespace) => {
    const { status, body } = await request("GET", url(namespace));
    if (status !== 200) throw new Error(`Reading the resource provider ${namespace} failed with status ${status}.`);
    return body.registrationState === "Registered";
  };

  for (const namespace of namespaces) {
    if (await isRegistered(namespace)) continue;
    print(`Registering the resource provider ${namespace} …`);
    const { status } = await request("POST", url(namespace, "/register"));
    if (status !== 200) {
      throw new Error(
        `Registering ${namespace} failed with status ${status}. An owner or contributor of the subscription can do it: ` +
          `az provider register --namespace ${namespace} --wait`,
      );
    }
    for (let polls = 1; !(await isRegistered(namespace)); polls += 1) {
      if (polls === maxPolls) throw new Error(`${namespace} is still not registered. Run the same command again.`);
      await wait(pollMs);
    }
  }
}

/** @param {string} token */
function requestWith(token) {
  return async (/** @type {"GET" | "POST"} */ method, /** @type {string} */ url) => {
    const response = await fetch(url, { method, headers: { authorization: `Bearer ${token}` } });
    return { status: response.status, body: await response.json().catch(() => ({})) };
  };
}

async function main() {
  const subscriptionId = process.env.AZURE_SUBSCRIPTION_ID;
  const withNetwork = process.env.PRIVATE_NETWORK?.toLowerCase() === "true";
  if (!subscriptionId) {
    // `azd provision` in a new environment asks for the subscription only after this hook; `azd up` asks before it.
    if (!withNetwork) return;
    throw new Error("AZURE_SUBSCRIPTION_ID is not set yet. Run azd up, or: azd env set AZURE_SUBSCRIPTION_ID <id>");
  }
  const { stdout } = await promisify(execFile)("azd", ["auth", "token", "--output", "json"]);
  await registerProviders({
    subscriptionId,
    namespaces: withNetwork ? [...providers, ...privateNetworkProviders] : providers,
    request: requestWith(JSON.parse(stdout).token),
    wait: sleep,
    print: (line) => process.stdout.write(`${line}\n`),
  });
}

if (basename(process.argv[1] ?? "") === "preprovision.mjs") {
  main().catch((error) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}

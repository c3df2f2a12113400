import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { heldImageName } from "../../../src/liveness/images/find-image.ts";
import { readDocument } from "../documents.ts";
import { faultsOf } from "../fakes/settings.ts";
import { findResource, listFiles, type Resource, readBicep } from "./bicep.ts";
import { choices, chosenSettings } from "./parameters.ts";

const files = listFiles(".bicep").map(readBicep);
const app = readBicep("modules/function-app.bicep");
const main = readBicep("main.bicep");
/** Where the app keeps images. */
const imageContainer = /container\("reference-images"\)/;

/** What a deployment must set, by module and resource type: paths below `properties`, and the text of their values. */
const required: Record<string, Record<string, string | undefined>> = {
  "storage Microsoft.Storage/storageAccounts/blobServices": {
    "deleteRetentionPolicy.enabled": "false",
    "containerDeleteRetentionPolicy.enabled": "false",
    "restorePolicy.enabled": "false",
    "changeFeed.enabled": "false",
    isVersioningEnabled: "false",
  },
  "storage Microsoft.Storage/storageAccounts": {
    allowSharedKeyAccess: "false",
    allowBlobPublicAccess: "false",
    minimumTlsVersion: "'TLS1_2'",
    supportsHttpsTrafficOnly: "true",
  },
  "face Microsoft.CognitiveServices/accounts": {
    disableLocalAuth: "true",
    // Identities need a subdomain.
    customSubDomainName: "name",
  },
  "monitoring Microsoft.Insights/components": { DisableLocalAuth: "true" },
  "monitoring Microsoft.OperationalInsights/workspaces": {
    "features.disableLocalAuth": "true",
    retentionInDays: "retentionDays",
    "features.immediatePurgeDataOn30Days": "retentionDays == 30",
  },
  "monitoring Microsoft.OperationalInsights/workspaces/tables": {
    retentionInDays: "retentionDays",
    // No archive.
    totalRetentionInDays: "retentionDays",
  },
  "event-grid Microsoft.EventGrid/topics": {
    disableLocalAuth: "true",
    // Of what the app publishes.
    inputSchema: "'CloudEventSchemaV1_0'",
    minimumTlsVersionAllowed: "'1.2'",
    publicNetworkAccess: "publicAccess ? 'Enabled' : 'Disabled'",
  },
  "key-vault Microsoft.KeyVault/vaults": { enableRbacAuthorization: "true" },
  "function-app Microsoft.Web/sites": {
    httpsOnly: "true",
    "siteConfig.minTlsVersion": "'1.2'",
    // Flex Consumption rejects the property.
    "siteConfig.ftpsState": undefined,
    "functionAppConfig.deployment.storage.authentication.type": "'UserAssignedIdentity'",
    // The package is read and written as another identity than the app's.
    "functionAppConfig.deployment.storage.authentication.userAssignedIdentityResourceId": "deploymentIdentityId",
  },
};
for (const [resource, properties] of Object.entries(required)) {
  for (const [path, value] of Object.entries(properties)) {
    test(`${resource}: ${path} is ${value}`, () => {
      const [module, type = ""] = resource.split(" ");
      assert.equal(findResource(`modules/${module}.bicep`, type).get("properties", ...path.split(".")), value);
    });
  }
}

describe("erased data", () => {
  const policies = findResource("modules/storage.bicep", "Microsoft.Storage/storageAccounts/managementPolicies");
  const policy = policies.get("properties", "policy") ?? "";

  test("uploaded images have a lifecycle rule as a fallback for the timer", () => {
    assert.match(policy, /prefixMatch: \['reference-images\/sessions\/'\]/);
    // The prefix is that of the app.
    assert.match(readDocument("src/storage/azure/table.ts"), imageContainer);
    assert.match(readDocument("src/liveness/model/images.ts"), /type ImageName = .*`sessions\//);
  });

  test("stored images of services and users have a lifecycle rule", () => {
    const rule = /name: 'held-images'[\s\S]+?prefixMatch: \[([^\]]+)\]/.exec(policy);
    const names = [{ trusted: true }, { trusted: false, owner: "owner" }].map((caller) => heldImageName(caller, "id"));
    const prefixes = names.map((name) => `'reference-images/${name.split("/")[0]}/'`);
    assert.equal(rule?.[1], prefixes.join(", "));
  });

  test("no diagnostic log contains requests of devices or paths of tables and blobs", () => {
    const all = files.flatMap(({ resources }) => resources);
    const logs = all
      .filter(({ type }) => type.endsWith("/diagnosticSettings"))
      .map(({ get }) => get("properties", "logs"));
    assert.ok(logs.length > 0);
    for (const log of logs) assert.match(log ?? "", /^\[\{ category(Group)?: '[Aa]udit', enabled: true \}\]$/);
  });
});

test("logs have the chosen retention in every table with device ids", () => {
  const names = /for table in \[([^\]]+)\]/.exec(readBicep("modules/monitoring.bicep").tree.text)?.[1];
  // Tables with a default of 90 days.
  assert.equal(names, "'AppRequests', 'AppDependencies', 'AppTraces', 'AppExceptions', 'AppMetrics'");
});

describe("access by key is disabled for", () => {
  test("the Face account and the deployment of the app", () => {
    assert.equal(findResource("modules/face.bicep", "Microsoft.CognitiveServices/accounts").get("kind"), "'Face'");
    const passwords = app.resources.filter(({ type }) => type.endsWith("/basicPublishingCredentialsPolicies"));
    const allowed = passwords.map(({ get }) => `${get("name")} ${get("properties", "allow")}`);
    assert.deepEqual(allowed.sort(), ["'ftp' false", "'scm' false"]);
  });

  test("all outputs: no keys are listed, no secrets returned", () => {
    const keys = /\blist(Keys|AccountSas|ServiceSas|Secrets|Credentials)?\(|AccountKey=|SharedAccess/i;
    for (const file of files) {
      assert.doesNotMatch(file.tree.text, keys);
      const secrets = file.params.filter(({ secure }) => secure).map(({ name }) => name);
      for (const { name, value } of file.outputs) {
        assert.ok(!secrets.some((secret) => new RegExp(`\\b${secret}\\b`).test(value)), `${file.path}: ${name}`);
        assert.doesNotMatch(value, /connectionString|instrumentationKey|\.value\b/i, `${file.path}: ${name}`);
      }
    }
  });

  for (const [parameter, setting] of [
    ["clientKeys", "CLIENT_KEYS"],
    ["userIdKey", "USER_ID_KEY"],
    ["webhookEndpoints", "WEBHOOK_ENDPOINTS"],
  ] as const) {
    test(`${setting}: parameters are secure up to the vault, and the app's setting is a reference`, () => {
      const isSecure = (path: string) => readBicep(path).params.find(({ name }) => name === parameter)?.secure;
      assert.equal(isSecure("main.bicep"), true);
      assert.equal(isSecure("modules/key-vault.bicep"), true);
      const reference = `${setting}: '@Microsoft.KeyVault(SecretUri=\${${parameter}SecretUri})'`;
      assert.ok(app.tree.text.includes(reference));
      assert.equal(choices[parameter]?.variable, setting);
      assert.ok(!(setting in chosenSettings), "the setting would have the secret's value");
    });
  }

  test("v1.3-preview.1 without USER_ID_KEY fails before any resource is created", () => {
    const condition =
      /var withUserIdKey = !empty\(userIdKey\)\s+\? true\s+: settings\.FACE_API_VERSION == '([^']+)'\s+\? fail\(/;
    const [, version] = condition.exec(main.tree.text) ?? assert.fail("no such variable");
    const fault = { setting: "USER_ID_KEY", message: `is required with FACE_API_VERSION ${version}` };
    assert.deepEqual(faultsOf({ FACE_API_VERSION: version }), [fault], "as in the app");
  });
});

describe("roles", () => {
  /** Published ids of built-in roles. */
  const published: Record<string, string> = {
    "Cognitive Services Face Recognizer": "9894cab4-e18a-44aa-828b-cb588cd6f2d7",
    "Cognitive Services User": "a97b65f3-24c7-4388-baec-2e87135dc908",
    "EventGrid Data Sender": "d5a91429-5739-47e2-a06b-3470a27159e7",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
  };
  const roles = readBicep("modules/roles.bicep");
  const assignments = roles.resources.filter(isAssignment);

  test("are all in roles.bicep, with their published ids", () => {
    const assigning = files.filter(({ resources }) => resources.some(isAssignment));
    assert.deepEqual(
      assigning.map(({ path }) => path),
      [roles.path],
    );
    const defined = [...roles.tree.text.matchAll(/^ {2}'([\w ]+)': '([0-9a-f-]{36})'$/gm)];
    assert.deepEqual(Object.fromEntries(defined.map(([, name, id]) => [name, id])), published);
  });

  test("have one resource as scope, and a reason", () => {
    const existing = roles.resources.filter((resource) => resource.existing).map(({ symbol }) => symbol);
    assert.equal(assignments.length, 9);
    for (const { symbol, get } of assignments) {
      const scope = /(?:^|::)(\w+)(?:\[\w+\])?$/.exec(get("scope") ?? "")?.[1] ?? "";
      assert.ok(existing.includes(scope), `${symbol}: no role on a group or more`);
      assert.match(get("properties", "principalId") ?? "", /^(principalId|deploymentPrincipalId)$/, symbol);
      assert.equal(get("properties", "principalType"), "'ServicePrincipal'", symbol);
      assert.ok(get("properties", "description"), symbol);
      const role = /roleIds(\[[^\]]+\])/.exec(get("properties", "roleDefinitionId") ?? "")?.[1];
      assert.ok(role && get("name")?.endsWith(`roleIds${role})`), `${symbol}: named after another role than it gives`);
    }
  });

  test("allow the app's identity to write to its own and the host's containers only", () => {
    const onBlobs = assignments.filter(({ get }) => get("properties", "roleDefinitionId")?.includes("Storage Blob"));
    const given = onBlobs.map(({ get }) => [
      get("properties", "principalId"),
      /'Storage Blob Data (\w+)'/.exec(get("properties", "roleDefinitionId") ?? "")?.[1],
      get("scope"),
    ]);
    assert.deepEqual(given, [
      ["principalId", "Owner", "storage::blobServices::hosts[index]"],
      ["principalId", "Reader", "storage"],
      ["principalId", "Contributor", "storage::blobServices::images"],
      ["deploymentPrincipalId", "Contributor", "storage::blobServices::packages"],
    ]);
  });

  test("have containers as scope that the template creates", () => {
    const { tree } = readBicep("modules/storage.bicep");
    assert.match(tree.text, /var hosts = \['azure-webjobs-hosts', 'azure-webjobs-secrets'\]/);
    assert.match(tree.text, /var images = 'reference-images'/);
    assert.match(tree.text, /for container in concat\(hosts, \[images, package\]\)/);
    assert.match(readDocument("src/storage/azure/table.ts"), imageContainer);
  });

  test("are assigned before the app is created", () => {
    assert.match(main.tree.text, /dependsOn: \[roles, privateEndpoints\]/);
  });

  test("on the vault exist from the first deployment, even without secrets", () => {
    assert.match(main.tree.text, /\nmodule keyVault 'modules\/key-vault\.bicep' = \{/);
    assert.match(roles.tree.text, /\nresource secrets '[^']+' = \{/);
    const vault = readBicep("modules/key-vault.bicep").tree.text;
    assert.match(vault, /\nresource clientKeysSecret '[^']+' = if \(withClientKeys\) \{/);
    assert.match(vault, /\nresource userIdKeySecret '[^']+' = if \(withUserIdKey\) \{/);
    assert.match(vault, /\nresource webhookEndpointsSecret '[^']+' = if \(withWebhookEndpoints\) \{/);
  });

  test("include one on the Event Grid topic, to publish only, where the topic is asked for", () => {
    assert.match(main.tree.text, /\nmodule eventGrid 'modules\/event-grid\.bicep' = if \(eventGridTopic\) \{/);
    assert.equal(main.params.find(({ name }) => name === "eventGridTopic")?.byDefault, "false");
    const events = assignments.filter(({ get }) => get("scope") === "topic");
    const given = events.map(({ get }) => /roleIds\['(.+)'\]/.exec(get("properties", "roleDefinitionId") ?? "")?.[1]);
    assert.deepEqual(given, ["EventGrid Data Sender"]);
    assert.match(roles.tree.text, /\nresource events '[^']+' = if \(withTopic\) \{/);
  });

  function isAssignment({ type }: Resource): boolean {
    return type === "Microsoft.Authorization/roleAssignments";
  }
});

test("App Service Authentication validates tokens, stores none, and passes requests without token to the app", () => {
  const authentication = app.resources.find(({ symbol }) => symbol === "authentication");
  assert.equal(authentication?.get("properties", "login", "tokenStore", "enabled"), "false");
  const validation = authentication?.get("properties", "globalValidation") ?? "";
  assert.match(validation, /requireAuthentication: false/);
  assert.match(validation, /unauthenticatedClientAction: 'AllowAnonymous'/);
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { endpoints } from "../../../src/endpoints.ts";
import { maintenanceSchedule } from "../../../src/functions/maintain-sessions.ts";
import { heldImageName } from "../../../src/liveness/images/find-image.ts";
import { faultsOf } from "../fakes/settings.ts";
import { infra, listFiles, type Resource, readBicep } from "./bicep.ts";
import { choices, chosenSettings } from "./parameters.ts";

const files = listFiles(".bicep").map(readBicep);

describe("erased data", () => {
  const blobs = find("modules/storage.bicep", "Microsoft.Storage/storageAccounts/blobServices");

  for (const policy of ["deleteRetentionPolicy", "containerDeleteRetentionPolicy", "restorePolicy", "changeFeed"]) {
    test(`${policy} is off`, () => assert.equal(blobs.get("properties", policy, "enabled"), "false"));
  }

  test("blob versioning is off", () => assert.equal(blobs.get("properties", "isVersioningEnabled"), "false"));

  test("uploaded images have a lifecycle rule as a fallback for the timer", () => {
    const policy = find("modules/storage.bicep", "Microsoft.Storage/storageAccounts/managementPolicies");
    assert.match(policy.get("properties", "policy") ?? "", /prefixMatch: \['reference-images\/sessions\/'\]/);
    // The prefix is that of the app.
    assert.match(readSource("storage/azure/connect.ts"), /container\("reference-images"\)/);
    assert.match(readSource("liveness/model/images.ts"), /type ImageName = .*`sessions\//);
  });

  test("stored images of services and users have a lifecycle rule", () => {
    const policy = find("modules/storage.bicep", "Microsoft.Storage/storageAccounts/managementPolicies");
    const rule = /name: 'held-images'[\s\S]+?prefixMatch: \[([^\]]+)\]/.exec(policy.get("properties", "policy") ?? "");
    const prefixes = [
      heldImageName({ trusted: true }, "id"),
      heldImageName({ trusted: false, owner: "owner" }, "id"),
    ].map((name) => `'reference-images/${name.split("/")[0]}/'`);
    assert.equal(rule?.[1], prefixes.join(", "));
  });

  test("no diagnostic log contains requests of devices or paths of tables and blobs", () => {
    const logged = files
      .flatMap(({ resources }) => resources)
      .filter(({ type }) => type.endsWith("/diagnosticSettings"));
    assert.ok(logged.length > 0);
    for (const setting of logged)
      assert.match(setting.get("properties", "logs") ?? "", /^\[\{ category(Group)?: '[Aa]udit', enabled: true \}\]$/);
  });
});

describe("logs", () => {
  const workspace = find("modules/monitoring.bicep", "Microsoft.OperationalInsights/workspaces");
  const tables = find("modules/monitoring.bicep", "Microsoft.OperationalInsights/workspaces/tables");

  test("have the chosen retention in every table with device ids", () => {
    assert.equal(workspace.get("properties", "retentionInDays"), "retentionDays");
    assert.equal(tables.get("properties", "retentionInDays"), "retentionDays");
    assert.equal(tables.get("properties", "totalRetentionInDays"), "retentionDays", "no archive");
    const names = /for table in \[([^\]]+)\]/.exec(readBicep("modules/monitoring.bicep").tree.text)?.[1];
    assert.deepEqual(
      names?.replaceAll("'", "").split(", "),
      // Tables with a default of 90 days.
      ["AppRequests", "AppDependencies", "AppTraces", "AppExceptions", "AppMetrics"],
    );
  });

  test("are deleted immediately after the shortest retention", () => {
    assert.equal(workspace.get("properties", "features", "immediatePurgeDataOn30Days"), "retentionDays == 30");
  });
});

describe("access by key is disabled for", () => {
  test("storage", () => {
    const account = find("modules/storage.bicep", "Microsoft.Storage/storageAccounts");
    assert.equal(account.get("properties", "allowSharedKeyAccess"), "false");
    assert.equal(account.get("properties", "allowBlobPublicAccess"), "false");
    assert.equal(account.get("properties", "minimumTlsVersion"), "'TLS1_2'");
    assert.equal(account.get("properties", "supportsHttpsTrafficOnly"), "true");
  });

  test("the Face account", () => {
    const account = find("modules/face.bicep", "Microsoft.CognitiveServices/accounts");
    assert.equal(account.get("kind"), "'Face'");
    assert.equal(account.get("properties", "disableLocalAuth"), "true");
    assert.equal(account.get("properties", "customSubDomainName"), "name", "which identities need");
  });

  test("telemetry", () => {
    const component = find("modules/monitoring.bicep", "Microsoft.Insights/components");
    assert.equal(component.get("properties", "DisableLocalAuth"), "true");
    assert.equal(
      find("modules/monitoring.bicep", "Microsoft.OperationalInsights/workspaces").get(
        "properties",
        "features",
        "disableLocalAuth",
      ),
      "true",
    );
  });

  test("the vault", () => {
    assert.equal(
      find("modules/key-vault.bicep", "Microsoft.KeyVault/vaults").get("properties", "enableRbacAuthorization"),
      "true",
    );
  });

  test("the app and its deployment", () => {
    const { resources } = readBicep("modules/function-app.bicep");
    const app = find("modules/function-app.bicep", "Microsoft.Web/sites");
    assert.equal(app.get("properties", "httpsOnly"), "true");
    assert.equal(app.get("properties", "siteConfig", "minTlsVersion"), "'1.2'");
    assert.equal(app.get("properties", "siteConfig", "ftpsState"), undefined, "which Flex Consumption rejects");
    assert.equal(
      app.get("properties", "functionAppConfig", "deployment", "storage", "authentication", "type"),
      "'UserAssignedIdentity'",
    );
    const passwords = resources.filter(({ type }) => type.endsWith("/basicPublishingCredentialsPolicies"));
    assert.deepEqual(passwords.map(({ get }) => `${get("name")} ${get("properties", "allow")}`).sort(), [
      "'ftp' false",
      "'scm' false",
    ]);
  });

  test("all outputs: no keys are listed, no secrets returned", () => {
    for (const file of files) {
      assert.doesNotMatch(
        file.tree.text,
        /\blist(Keys|AccountSas|ServiceSas|Secrets|Credentials)?\(|AccountKey=|SharedAccess/i,
      );
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
  ] as const) {
    test(`${setting}: parameters are secure up to the vault, and the app's setting is a reference`, () => {
      const isSecure = (path: string) => readBicep(path).params.find(({ name }) => name === parameter)?.secure;
      assert.equal(isSecure("main.bicep"), true);
      assert.equal(isSecure("modules/key-vault.bicep"), true);
      const reference = `${setting}: '@Microsoft.KeyVault(SecretUri=\${${parameter}SecretUri})'`;
      assert.ok(readBicep("modules/function-app.bicep").tree.text.includes(reference));
      assert.equal(choices[parameter]?.variable, setting);
      assert.ok(!(setting in chosenSettings), "the setting would have the secret's value");
    });
  }

  test("v1.3-preview.1 without USER_ID_KEY fails before any resource is created", () => {
    const condition =
      /var withUserIdKey = !empty\(userIdKey\)\s+\? true\s+: settings\.FACE_API_VERSION == '([^']+)'\s+\? fail\(/;
    const [, version] = condition.exec(readBicep("main.bicep").tree.text) ?? assert.fail("no such variable");
    const fault = { setting: "USER_ID_KEY", message: `is required with FACE_API_VERSION ${version}` };
    assert.deepEqual(faultsOf({ FACE_API_VERSION: version }), [fault], "as in the app");
  });
});

describe("roles", () => {
  /** Published ids of built-in roles. */
  const published: Record<string, string> = {
    "Cognitive Services Face Recognizer": "9894cab4-e18a-44aa-828b-cb588cd6f2d7",
    "Cognitive Services User": "a97b65f3-24c7-4388-baec-2e87135dc908",
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
    assert.deepEqual(
      files.filter(({ resources }) => resources.some(isAssignment)).map(({ path }) => path),
      [roles.path],
    );
    const defined = [...roles.tree.text.matchAll(/^ {2}'([\w ]+)': '([0-9a-f-]{36})'$/gm)].map(([, name, id]) => [
      name,
      id,
    ]);
    assert.deepEqual(Object.fromEntries(defined), published);
  });

  test("have one resource as scope, and a reason", () => {
    const existing = roles.resources.filter((resource) => resource.existing).map(({ symbol }) => symbol);
    assert.equal(assignments.length, 8);
    for (const { symbol, get } of assignments) {
      const scope = get("scope")
        ?.split("::")
        .at(-1)
        ?.replace(/\[\w+\]$/, "");
      assert.ok(existing.includes(scope ?? ""), `${symbol}: no role on a group or more`);
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
    const app = find("modules/function-app.bicep", "Microsoft.Web/sites");
    const authentication = ["functionAppConfig", "deployment", "storage", "authentication"];
    assert.equal(
      app.get("properties", ...authentication, "userAssignedIdentityResourceId"),
      "deploymentIdentityId",
      "the package is read and written as another identity",
    );
  });

  test("have containers as scope that the template creates", () => {
    const { tree } = readBicep("modules/storage.bicep");
    assert.match(tree.text, /var hosts = \['azure-webjobs-hosts', 'azure-webjobs-secrets'\]/);
    assert.match(tree.text, /var images = 'reference-images'/);
    assert.match(tree.text, /for container in concat\(hosts, \[images, package\]\)/);
    assert.match(readSource("storage/azure/connect.ts"), /container\("reference-images"\)/);
  });

  test("are assigned before the app is created", () => {
    assert.match(readBicep("main.bicep").tree.text, /dependsOn: \[roles, privateEndpoints\]/);
  });

  test("on the vault exist from the first deployment, even without secrets", () => {
    assert.match(readBicep("main.bicep").tree.text, /\nmodule keyVault 'modules\/key-vault\.bicep' = \{/);
    assert.match(roles.tree.text, /\nresource secrets '[^']+' = \{/);
    const vault = readBicep("modules/key-vault.bicep").tree.text;
    assert.match(vault, /\nresource clientKeysSecret '[^']+' = if \(withClientKeys\) \{/);
    assert.match(vault, /\nresource userIdKeySecret '[^']+' = if \(withUserIdKey\) \{/);
  });

  function isAssignment({ type }: Resource): boolean {
    return type === "Microsoft.Authorization/roleAssignments";
  }
});

describe("App Service Authentication", () => {
  const authentication = readBicep("modules/function-app.bicep").resources.find(
    ({ symbol }) => symbol === "authentication",
  );

  test("validates tokens and passes requests without token to the app", () => {
    const validation = authentication?.get("properties", "globalValidation") ?? "";
    assert.match(validation, /requireAuthentication: false/);
    assert.match(validation, /unauthenticatedClientAction: 'AllowAnonymous'/);
  });

  test("stores no tokens", () =>
    assert.equal(authentication?.get("properties", "login", "tokenStore", "enabled"), "false"));
});

describe("alerts", () => {
  const { tree } = readBicep("modules/alerts.bicep");

  test("use names of existing functions", () => {
    const names = [...endpoints.map(({ name }) => name), "maintainSessions"];
    const used = [...tree.text.matchAll(/OperationName [!=]= '(\w+)'/g)].map(([, name]) => name ?? "");
    assert.ok(used.length > 0);
    assert.deepEqual(
      used.filter((name) => !names.includes(name)),
      [],
    );
  });

  test("fire only after several missed runs of the timer", () => {
    const minutes = Number(/^0 \*\/(\d+) \* \* \* \*$/.exec(maintenanceSchedule)?.[1]);
    const window = Number(/name: 'maintenance-overdue'[\s\S]+?window: 'PT(\d+)M'/.exec(tree.text)?.[1]);
    assert.ok(window >= 3 * minutes, `${window} minutes, and a run every ${minutes}`);
  });

  test("include an external availability test for an app that never started", () => {
    const test = find("modules/alerts.bicep", "Microsoft.Insights/webtests");
    assert.equal(test.get("properties", "Request", "RequestUrl"), "readinessUrl");
    assert.match(
      readBicep("main.bicep").tree.text,
      /readinessUrl: '\$\{functionApp\.outputs\.uri\}\/api\/health\/ready'/,
    );
    assert.ok(endpoints.some(({ route, access }) => route === "api/health/ready" && access === "everyone"));
    const alert = find("modules/alerts.bicep", "Microsoft.Insights/metricAlerts");
    assert.equal(alert.get("properties", "criteria", "webTestId"), "availability.id");
    const places = test.get("properties", "Locations")?.match(/Id:/g)?.length ?? 0;
    assert.ok(Number(alert.get("properties", "criteria", "failedLocationCount")) <= places);
    const window = /^'PT(\d+)M'$/.exec(alert.get("properties", "windowSize") ?? "")?.[1];
    assert.ok(
      Number(window) * 60 >= Number(test.get("properties", "Frequency")),
      "a call of each place in every window",
    );
  });

  test("use names of logged events", () => {
    const logged = ["functions/maintain-sessions.ts", "http/endpoint.ts"].map(readSource).join("\n");
    for (const event of ["MaintenanceFailed", "RequestFailed"]) {
      assert.match(tree.text, new RegExp(event));
      assert.match(logged, new RegExp(`"${event}"`));
    }
  });
});

function find(path: string, type: string): Resource {
  const found = readBicep(path).resources.find((resource) => resource.type === type && !resource.existing);
  return found ?? assert.fail(`${path} has no ${type}`);
}

function readSource(path: string): string {
  return readFileSync(join(infra, "../src", path), "utf8");
}

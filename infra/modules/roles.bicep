metadata description = 'All role assignments, each on a single resource.'

@description('Object id of the app\'s identity.')
param principalId string

@description('Object id of the identity for the deployed package.')
param deploymentPrincipalId string
param storageName string

@description('Names of the two containers of the Functions host.')
param hostContainers string[]

@description('Name of the container of reference images.')
param imageContainer string

@description('Name of the container of the deployed package.')
param packageContainer string
param faceName string

@description('Name of the role on the Face account.')
param faceRole string
param applicationInsightsName string
param keyVaultName string

@description('Whether there is an Event Grid topic.')
param withTopic bool
param topicName string

var roleIds = {
  'Cognitive Services Face Recognizer': '9894cab4-e18a-44aa-828b-cb588cd6f2d7'
  'Cognitive Services User': 'a97b65f3-24c7-4388-baec-2e87135dc908'
  'EventGrid Data Sender': 'd5a91429-5739-47e2-a06b-3470a27159e7'
  'Key Vault Secrets User': '4633458b-17de-408a-b874-0445c86b69e6'
  'Monitoring Metrics Publisher': '3913510d-42f4-4e42-8a64-420c390055eb'
  'Storage Blob Data Contributor': 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  'Storage Blob Data Owner': 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  'Storage Blob Data Reader': '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  'Storage Table Data Contributor': '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName

  resource blobServices 'blobServices' existing = {
    name: 'default'

    resource hosts 'containers' existing = [
      for container in hostContainers: {
        name: container
      }
    ]

    resource images 'containers' existing = {
      name: imageContainer
    }

    resource packages 'containers' existing = {
      name: packageContainer
    }
  }
}

resource face 'Microsoft.CognitiveServices/accounts@2024-10-01' existing = {
  name: faceName
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource keyVault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: keyVaultName
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = if (withTopic) {
  name: topicName
}

// Four roles on blobs instead of `Storage Blob Data Owner` on the account, which the platform's documentation recommends for
// the host: with it, the app's identity could overwrite the app's package. Access of the host according to its sources
// (Azure/azure-functions-host, Azure/azure-webjobs-sdk and its extensions):
// - locks, schedules of timers, host id, hash of the triggers: read, write and lease blobs of `azure-webjobs-hosts`
//   (BlobLeaseDistributedLockManager, StorageScheduleMonitor, HostIdValidator, FunctionsSyncManager);
// - function keys: the same in `azure-webjobs-secrets` (BlobStorageSecretsRepository);
// - it creates a missing container; storage.bicep creates both;
// - its health check lists the containers of the account (WebJobsStorageHealthCheck): the reader's role below.
resource hostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (container, index) in hostContainers: {
    scope: storage::blobServices::hosts[index]
    name: guid(storage.id, container, principalId, roleIds['Storage Blob Data Owner'])
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Storage Blob Data Owner'])
      principalId: principalId
      principalType: 'ServicePrincipal'
      description: 'Storage of the Functions host'
    }
  }
]

// Lists containers. The role can also read the package, which contains only the app's own code.
resource blobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, principalId, roleIds['Storage Blob Data Reader'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Storage Blob Data Reader'])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Health check of the Functions host'
  }
}

resource images 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage::blobServices::images
  name: guid(storage.id, imageContainer, principalId, roleIds['Storage Blob Data Contributor'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Storage Blob Data Contributor'])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Reference images'
  }
}

// The app's deployment site uploads the package with this identity, and instances download it with the same one
// (`functionAppConfig.deployment.storage`), so a reader role is not sufficient. The app's code does not use this identity, but
// the platform does not prevent the app's process from requesting its token by client id: the separation protects against a
// stolen token of the app, not against malicious code that runs in the app.
resource package 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage::blobServices::packages
  name: guid(storage.id, packageContainer, deploymentPrincipalId, roleIds['Storage Blob Data Contributor'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Storage Blob Data Contributor'])
    principalId: deploymentPrincipalId
    principalType: 'ServicePrincipal'
    description: 'Deployed package'
  }
}

// Sessions, outcomes, schedule, and the host's diagnostic events. Neither host nor app uses queues.
resource tables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, principalId, roleIds['Storage Table Data Contributor'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Storage Table Data Contributor'])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Sessions, outcomes, schedule'
  }
}

// `Cognitive Services User` is the role in the service's documentation. `Cognitive Services Face Recognizer` is narrower and
// lists the session routes of the previews (`Face/*/sessions/…`); whether it covers the routes of v1.2 and session images is
// not documented. The wider role's permission to list keys has no effect: key access is disabled on the account.
resource sessions 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: face
  name: guid(face.id, principalId, roleIds[faceRole])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds[faceRole])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Liveness sessions'
  }
}

// Sends telemetry; no read access.
resource telemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: applicationInsights
  name: guid(applicationInsights.id, principalId, roleIds['Monitoring Metrics Publisher'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Monitoring Metrics Publisher'])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Telemetry'
  }
}

// Reads the secrets.
resource secrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: keyVault
  name: guid(keyVault.id, principalId, roleIds['Key Vault Secrets User'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Key Vault Secrets User'])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Digests of client keys, key of derived user ids, receivers of webhooks'
  }
}

// Publishes; no access to subscriptions or keys.
resource events 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (withTopic) {
  scope: topic
  name: guid(topic.id, principalId, roleIds['EventGrid Data Sender'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['EventGrid Data Sender'])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Events'
  }
}

metadata description = 'Every role, each on one resource and none wider.'

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

var roleIds = {
  'Cognitive Services Face Recognizer': '9894cab4-e18a-44aa-828b-cb588cd6f2d7'
  'Cognitive Services User': 'a97b65f3-24c7-4388-baec-2e87135dc908'
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

// Four roles on blobs instead of `Storage Blob Data Owner` on the account, which the platform's documentation names for
// the host: that one would let the app's identity rewrite the app's package. What the host does, by its sources
// (Azure/azure-functions-host, Azure/azure-webjobs-sdk and its extensions):
// - locks, schedules of timers, host id, hash of the triggers: read, write and lease blobs of `azure-webjobs-hosts`
//   (BlobLeaseDistributedLockManager, StorageScheduleMonitor, HostIdValidator, FunctionsSyncManager);
// - function keys: the same in `azure-webjobs-secrets` (BlobStorageSecretsRepository);
// - it makes a container only where that is missing, and storage.bicep makes both;
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

// Lists containers. It also reads the package, which the app's own code is anyway.
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

// A deployment reaches the app's deployment site, which uploads the package as this identity, and an instance downloads it
// as the same one (`functionAppConfig.deployment.storage`), so reading is not enough. The app's code never names it. The
// platform does not keep the app's process from requesting its token by client id: this stops a stolen or misdirected
// token of the app, not foreign code that already runs in it.
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

// Sessions, outcomes, schedule, and the host's own diagnostic events. No role for queues: neither host nor app uses one.
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

// `Cognitive Services User` is what the service's documentation names. `Cognitive Services Face Recognizer` is narrower and
// lists the sessions of the preview routes (`Face/*/sessions/…`); no document states whether that covers the routes of
// v1.2 and session images. The wider role's right to list keys has no effect: the account accepts none.
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

// Sends telemetry; reads none.
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

// Reads the one secret there is.
resource clientKeys 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: keyVault
  name: guid(keyVault.id, principalId, roleIds['Key Vault Secrets User'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Key Vault Secrets User'])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Digests of client keys'
  }
}

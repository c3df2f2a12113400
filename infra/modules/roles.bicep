metadata description = 'Every role of the app, each on one resource and none wider.'

@description('Object id of the app\'s identity.')
param principalId string
param storageName string
param faceName string

@description('Name of the role on the Face account.')
param faceRole string
param applicationInsightsName string
param keyVaultName string

@description('Whether there is a vault.')
param withKeyVault bool

var roleIds = {
  'Cognitive Services Face Recognizer': '9894cab4-e18a-44aa-828b-cb588cd6f2d7'
  'Cognitive Services User': 'a97b65f3-24c7-4388-baec-2e87135dc908'
  'Key Vault Secrets User': '4633458b-17de-408a-b874-0445c86b69e6'
  'Monitoring Metrics Publisher': '3913510d-42f4-4e42-8a64-420c390055eb'
  'Storage Blob Data Owner': 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  'Storage Table Data Contributor': '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
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

// The least that the Functions host accepts for its own storage (locks and schedules of timers, host keys). It covers the
// app's reference images and reading the deployed package.
resource blobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, principalId, roleIds['Storage Blob Data Owner'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Storage Blob Data Owner'])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Host storage, reference images, deployed package'
  }
}

// Sessions, outcomes, schedule. No role for queues: neither host nor app uses one.
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

// `Cognitive Services User` is what the service's documentation asks for. `Cognitive Services Face Recognizer` is
// narrower and lists the sessions of the preview routes (`Face/*/sessions/…`); whether that covers the routes of v1.2
// and session images is written nowhere. The wider role's right to list keys is void: the account takes none.
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
resource clientKeys 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (withKeyVault) {
  scope: keyVault
  name: guid(keyVault.id, principalId, roleIds['Key Vault Secrets User'])
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds['Key Vault Secrets User'])
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Digests of client keys'
  }
}

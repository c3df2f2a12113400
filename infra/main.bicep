targetScope = 'subscription'

metadata name = 'face-liveness-functions'
metadata description = 'A function app in front of Azure AI Face, with its storage and monitoring, and no key anywhere.'

@description('Name of the azd environment. It names the resource group and makes all other names unique.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of everything but, where set, the Face account. It must offer Flex Consumption.')
@minLength(1)
param location string

@description('Region of the Face account, where the app\'s own does not offer Face liveness. Empty: the same.')
param faceLocation string = ''

@description('Built-in role of the app on the Face account; roles.bicep says what speaks for each.')
@allowed(['Cognitive Services User', 'Cognitive Services Face Recognizer'])
param faceRole string = 'Cognitive Services User'

@description('App settings by their names, as the README lists them. An empty one is left out: the app has its own default.')
param settings object

@description('Value of CLIENT_KEYS: JSON, client name to list of SHA-256 digests of its keys. Kept in Key Vault. Empty: no vault, no keys.')
@secure()
param clientKeys string = ''

@description('Client id of the Entra app registration that callers ask tokens for. Empty: App Service Authentication is off.')
param entraClientId string = ''

@description('Origins of browser apps, such as https://app.example.com. Empty: no browser app on another origin may call.')
param corsOrigins string[] = []

@description('Puts storage and vault behind private endpoints, and the app into a virtual network. Turned off again, the app leaves the network, which stays until it is removed by hand.')
param privateNetwork bool = false

@description('Who is told when an alert fires. Empty: alerts show in the portal only.')
param alertEmail string = ''

@description('Redundancy of the storage account, which holds the outcomes.')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param storageRedundancy string = 'Standard_LRS'

@description('Days after which a held reference image is removed. 0: it stays until an app deletes it.')
@minValue(0)
@maxValue(3650)
param referenceImageRetentionDays int = 0

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Memory of one instance in MB: 512, 2048 or 4096.')
param instanceMemoryMB int = 2048

@description('Requests that one instance serves at once. Each may hold a few copies of an image of up to 6 MB.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 32

@description('Instances at most. The Face service allows 10 calls a second, so many are of no use.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that wait for HTTP requests at all times, against cold starts. They cost money while idle.')
@minValue(0)
@maxValue(20)
param alwaysReadyInstances int = 0

var abbreviations = loadJsonContent('abbreviations.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var withClientKeys = !empty(clientKeys)
var keyVaultName = '${abbreviations.keyVault}-${token}'
// After the timer has had its turn for a week, whatever the retention is.
var sessionImageBackstopDays = int(settings.SESSION_RETENTION_HOURS) / 24 + 7

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: '${abbreviations.resourceGroup}-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: '${abbreviations.userAssignedIdentity}-${token}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: '${abbreviations.logAnalyticsWorkspace}-${token}'
    applicationInsightsName: '${abbreviations.applicationInsights}-${token}'
    retentionDays: logRetentionDays
    location: location
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: '${abbreviations.storageAccount}${token}'
    redundancy: storageRedundancy
    sessionImageBackstopDays: sessionImageBackstopDays
    referenceImageRetentionDays: referenceImageRetentionDays
    publicAccess: !privateNetwork
    location: location
    tags: tags
  }
}

module face 'modules/face.bicep' = {
  name: 'face'
  scope: group
  params: {
    name: '${abbreviations.faceAccount}-${token}'
    workspaceId: monitoring.outputs.workspaceId
    location: empty(faceLocation) ? location : faceLocation
    tags: tags
  }
}

module keyVault 'modules/key-vault.bicep' = if (withClientKeys) {
  name: 'key-vault'
  scope: group
  params: {
    name: keyVaultName
    clientKeys: clientKeys
    publicAccess: !privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    location: location
    tags: tags
  }
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    storageName: storage.outputs.name
    faceName: face.outputs.name
    faceRole: faceRole
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    keyVaultName: keyVaultName
    withKeyVault: withClientKeys
  }
  dependsOn: [keyVault]
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: '${abbreviations.virtualNetwork}-${token}'
    subnetPrefix: abbreviations.subnet
    location: location
    tags: tags
  }
}

// The Face account has one too, and yet stays open: the devices themselves talk to it.
var privateServices = concat(
  [
    { id: storage.outputs.id, group: 'blob', zone: 'privatelink.blob.${environment().suffixes.storage}' }
    { id: storage.outputs.id, group: 'table', zone: 'privatelink.table.${environment().suffixes.storage}' }
    { id: face.outputs.id, group: 'account', zone: 'privatelink.cognitiveservices.azure.com' }
  ],
  withClientKeys ? [{ id: keyVault!.outputs.id, group: 'vault', zone: 'privatelink.vaultcore.azure.net' }] : []
)

module privateEndpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  name: 'private-endpoints'
  scope: group
  params: {
    namePrefix: '${abbreviations.privateEndpoint}-${token}'
    networkId: network!.outputs.id
    subnetId: network!.outputs.privateEndpointSubnetId
    services: privateServices
    location: location
    tags: tags
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: '${abbreviations.functionApp}-${token}'
    planName: '${abbreviations.appServicePlan}-${token}'
    serviceName: 'api'
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    faceName: face.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    clientKeysSecretUri: withClientKeys ? keyVault!.outputs.clientKeysUri : ''
    settings: settings
    entraClientId: entraClientId
    corsOrigins: corsOrigins
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    instanceMemoryMB: instanceMemoryMB
    httpConcurrency: httpConcurrency
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    location: location
    tags: tags
  }
  // Whatever the app asks for at its start must be allowed and within reach by then.
  dependsOn: [roles, privateEndpoints]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    actionGroupName: '${abbreviations.actionGroup}-${token}'
    email: alertEmail
    workspaceId: monitoring.outputs.workspaceId
    location: location
    tags: tags
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    workspaceName: monitoring.outputs.workspaceName
    workbookId: guid(group.id, 'face-liveness')
    location: location
    tags: tags
  }
}

@description('Region of the app.')
output AZURE_LOCATION string = location

@description('Where azd finds what it deploys to.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output SERVICE_API_NAME string = functionApp.outputs.name

@description('Address of the API, without a slash at its end.')
output SERVICE_API_URI string = functionApp.outputs.uri

targetScope = 'subscription'

metadata name = 'face-liveness-functions'
metadata description = 'A function app in front of Azure AI Face, with its storage and monitoring, and no key anywhere.'

@description('Name of the azd environment. It names the resource group and makes all other names unique.')
@minLength(1)
@maxLength(64)
param environmentName string

// The regions with Flex Consumption, as `az functionapp list-flexconsumption-locations` lists them. azd offers only these:
// it reads @allowed where the values come from main.parameters.json; with a .bicepparam file it would offer every region.
@description('Region of everything but, where set, the Face account. Face is not offered in australiasoutheast, italynorth, southindia, spaincentral and ukwest: set FACE_LOCATION there.')
@allowed([
  'australiaeast'
  'australiasoutheast'
  'brazilsouth'
  'canadacentral'
  'centralindia'
  'centralus'
  'eastasia'
  'eastus'
  'eastus2'
  'francecentral'
  'germanywestcentral'
  'italynorth'
  'japaneast'
  'koreacentral'
  'northcentralus'
  'northeurope'
  'norwayeast'
  'southafricanorth'
  'southcentralus'
  'southeastasia'
  'southindia'
  'spaincentral'
  'swedencentral'
  'uaenorth'
  'uksouth'
  'ukwest'
  'westcentralus'
  'westeurope'
  'westus'
  'westus2'
  'westus3'
])
@metadata({ azd: { type: 'location' } })
param location string

// The regions that the reference of the Face API lists. The subscription must be approved for liveness in any of them.
@description('Region of the Face account, where the app\'s own does not offer Face. Empty: the same.')
@allowed([
  ''
  'australiaeast'
  'brazilsouth'
  'canadacentral'
  'centralindia'
  'centralus'
  'eastasia'
  'eastus'
  'eastus2'
  'francecentral'
  'germanywestcentral'
  'japaneast'
  'japanwest'
  'jioindiawest'
  'koreacentral'
  'northcentralus'
  'northeurope'
  'norwayeast'
  'qatarcentral'
  'southafricanorth'
  'southcentralus'
  'southeastasia'
  'swedencentral'
  'switzerlandnorth'
  'switzerlandwest'
  'uaenorth'
  'uksouth'
  'westcentralus'
  'westeurope'
  'westus'
  'westus2'
  'westus3'
])
param faceLocation string = ''

@description('Built-in role of the app on the Face account; roles.bicep says what speaks for each.')
@allowed(['Cognitive Services User', 'Cognitive Services Face Recognizer'])
param faceRole string = 'Cognitive Services User'

@description('App settings by their names, as the README lists them. An empty one is left out: the app has its own default.')
param settings object

// An object and not a string: azd puts a value into a string as it is, and the quotes of JSON would end that string.
@description('Value of CLIENT_KEYS: client name to list of SHA-256 digests of its keys. Kept in Key Vault. Empty: no keys.')
@secure()
param clientKeys object = {}

@description('Client id of the Entra app registration that callers ask tokens for. Empty: App Service Authentication is off.')
param entraClientId string = ''

@description('Origins of browser apps, such as https://app.example.com, separated by commas. Empty: no browser app on another origin may call.')
param corsOrigins string = ''

@description('Puts storage and vault behind private endpoints, and the app into a virtual network. Turned off again, the app leaves the network, which stays until it is removed by hand.')
param privateNetwork bool = false

@description('Receives an e-mail when an alert fires. Empty: alerts show in the portal only.')
param alertEmail string = ''

// Only for a new environment: a plan and an account are not moved into zones by a deployment. The platform keeps two
// instances ready for each group of functions, and bills them.
@description('Spreads the app and its storage over the zones of the region, which must have zones for Flex Consumption.')
param zoneRedundant bool = false

@description('Days after which a held reference image is removed. 0: it stays until an app deletes it.')
@minValue(0)
@maxValue(3650)
param referenceImageRetentionDays int = 0

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Memory of one instance in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

// host.json lets 100 through (`maxConcurrentRequests`); more would only wait in the instance instead of starting another.
@description('Requests that one instance serves at once. Each may hold a few copies of an image of up to 6 MB.')
@minValue(1)
@maxValue(100)
param httpConcurrency int = 32

// 40 is the least that the plan accepts.
@description('Instances at most. The Face service allows 10 calls a second, so many are of no use.')
@minValue(40)
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
// After the timer has had its turn for a week, whatever the retention is.
var sessionImageBackstopDays = int(settings.SESSION_RETENTION_HOURS) / 24 + 7

// Fails before anything is made. A region far away would be a decision about personal data, so none is chosen here.
var regionsWithoutFace = ['australiasoutheast', 'italynorth', 'southindia', 'spaincentral', 'ukwest']
var faceRegion = !empty(faceLocation)
  ? faceLocation
  : contains(regionsWithoutFace, location)
      ? fail('Face is not offered in ${location}. Choose a region for it: azd env set FACE_LOCATION <region>')
      : location

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

// Of its own for the deployed package: the app's identity must not be able to rewrite the code that it runs.
module deploymentIdentity 'modules/identity.bicep' = {
  name: 'deployment-identity'
  scope: group
  params: {
    name: '${abbreviations.userAssignedIdentity}-${token}-deployment'
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
    redundancy: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
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
    location: faceRegion
    tags: tags
  }
}

// Always, with or without keys: a role takes up to ten minutes to reach the vault, so it must be there before the first
// client is admitted and the app reads its first secret.
module keyVault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  scope: group
  params: {
    name: '${abbreviations.keyVault}-${token}'
    withClientKeys: withClientKeys
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
    deploymentPrincipalId: deploymentIdentity.outputs.principalId
    storageName: storage.outputs.name
    hostContainers: storage.outputs.hostContainers
    imageContainer: storage.outputs.imageContainer
    packageContainer: storage.outputs.packageContainer
    faceName: face.outputs.name
    faceRole: faceRole
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    keyVaultName: keyVault.outputs.name
  }
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
var privateServices = [
  { id: storage.outputs.id, group: 'blob', zone: 'privatelink.blob.${environment().suffixes.storage}' }
  { id: storage.outputs.id, group: 'table', zone: 'privatelink.table.${environment().suffixes.storage}' }
  { id: face.outputs.id, group: 'account', zone: 'privatelink.cognitiveservices.azure.com' }
  { id: keyVault.outputs.id, group: 'vault', zone: 'privatelink.vaultcore.azure.net' }
]

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
    deploymentIdentityId: deploymentIdentity.outputs.id
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    faceName: face.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    clientKeysSecretUri: keyVault.outputs.clientKeysUri
    settings: settings
    entraClientId: entraClientId
    corsOrigins: empty(corsOrigins) ? [] : map(split(corsOrigins, ','), origin => trim(origin))
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    zoneRedundant: zoneRedundant
    instanceMemoryMB: instanceMemoryMB
    httpConcurrency: httpConcurrency
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    location: location
    tags: tags
  }
  // What the app reads at its start must be allowed and reachable by then.
  dependsOn: [roles, privateEndpoints]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    actionGroupName: '${abbreviations.actionGroup}-${token}'
    email: alertEmail
    workspaceId: monitoring.outputs.workspaceId
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    readinessUrl: '${functionApp.outputs.uri}/api/health/ready'
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

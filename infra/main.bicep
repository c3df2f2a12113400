targetScope = 'subscription'

metadata name = 'face-liveness-functions'
metadata description = 'A function app in front of Azure AI Face, with storage and monitoring. All access between resources is by identity, without keys.'

@description('Name of the azd environment. Part of the resource group\'s name and of the hash in all other names.')
@minLength(1)
@maxLength(64)
param environmentName string

// Regions with Flex Consumption, from `az functionapp list-flexconsumption-locations`. azd offers only these, since it
// evaluates @allowed for values from main.parameters.json; with a .bicepparam file it would offer every region.
@description('Region of all resources, except the Face account if FACE_LOCATION is set. Face is not available in australiasoutheast, italynorth, southindia, spaincentral and ukwest: set FACE_LOCATION there.')
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

// Regions in the reference of the Face API. The subscription must be approved for liveness in all of them.
@description('Region of the Face account, if Face is not available in the app\'s region. Empty: the same region.')
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

@description('Built-in role of the app on the Face account; roles.bicep compares the roles.')
@allowed(['Cognitive Services User', 'Cognitive Services Face Recognizer'])
param faceRole string = 'Cognitive Services User'

@description('App settings by name, see infra/README.md. Empty settings are left out, so that the app\'s default applies.')
param settings object

// An object and not a string: azd does not escape values in strings, and the quotes in the JSON would end the string.
@description('Value of CLIENT_KEYS: client name to list of SHA-256 digests of its keys. Kept in Key Vault. Empty: no keys.')
@secure()
param clientKeys object = {}

@description('Value of USER_ID_KEY, required if FACE_API_VERSION is v1.3-preview.1. Kept in Key Vault. Empty: no key.')
@secure()
param userIdKey string = ''

// By name and not a list as in the setting: a secure parameter is a string or an object.
@description('Receivers of webhooks by name, each with url, secrets and optionally types: the value of WEBHOOK_ENDPOINTS. Kept in Key Vault. Empty: none.')
@secure()
param webhookEndpoints object = {}

@description('Creates an Event Grid topic, to which the app publishes its events.')
param eventGridTopic bool = false

@description('Client id of the Entra app registration for which callers request tokens. Empty: App Service Authentication is off.')
param entraClientId string = ''

@description('Origins of browser apps, such as https://app.example.com, separated by commas. Empty: no cross-origin calls.')
param corsOrigins string = ''

@description('Adds private endpoints for storage and vault, and connects the app to a virtual network. After it is turned off, the network remains until it is removed by hand.')
param privateNetwork bool = false

@description('Receives an e-mail when an alert fires. Empty: alerts are displayed in the portal only.')
param alertEmail string = ''

// Only for new environments: a deployment cannot move an existing plan or account into zones. The platform keeps two
// instances ready for each group of functions, and bills them.
@description('Spreads the app and its storage over the zones of the region, which must have zones for Flex Consumption.')
param zoneRedundant bool = false

@description('Days after which a stored reference image is deleted. 0: never.')
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

// The maximum is `maxConcurrentRequests` of host.json. Further requests would wait in the instance instead of starting another.
@description('Concurrent requests of one instance. Each may hold a few copies of an image of up to 6 MB.')
@minValue(1)
@maxValue(100)
param httpConcurrency int = 32

// 40 is the minimum that the plan accepts.
@description('Maximum number of instances. The Face service allows 10 calls a second, so more instances rarely help.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Always ready instances for HTTP requests, which avoid cold starts. Billed while idle.')
@minValue(0)
@maxValue(20)
param alwaysReadyInstances int = 0

var abbreviations = loadJsonContent('abbreviations.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var topicName = '${abbreviations.eventGridTopic}-${token}'
var withClientKeys = !empty(clientKeys)
var withWebhookEndpoints = !empty(webhookEndpoints)
// Fails before any resource is created: the app would start without serving a request.
var withUserIdKey = !empty(userIdKey)
  ? true
  : settings.FACE_API_VERSION == 'v1.3-preview.1'
      ? fail('FACE_API_VERSION v1.3-preview.1 requires USER_ID_KEY: azd env set USER_ID_KEY <32 to 256 random characters>')
      : false
// A fallback: one week after the timer should have deleted the images that were uploaded with sessions.
var sessionImageBackstopDays = int(settings.SESSION_RETENTION_HOURS) / 24 + 7

// Fails before any resource is created. The template does not choose a region for the Face account, since that is a decision
// about personal data.
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

// A separate identity for the deployed package: the app's identity must not be able to overwrite the code that it runs.
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

// Created even without keys: a role assignment takes up to ten minutes to take effect, and it must be effective before the
// app reads its first secret.
module keyVault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  scope: group
  params: {
    name: '${abbreviations.keyVault}-${token}'
    withClientKeys: withClientKeys
    clientKeys: clientKeys
    withUserIdKey: withUserIdKey
    userIdKey: userIdKey
    withWebhookEndpoints: withWebhookEndpoints
    webhookEndpoints: webhookEndpoints
    publicAccess: !privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    location: location
    tags: tags
  }
}

module eventGrid 'modules/event-grid.bicep' = if (eventGridTopic) {
  name: 'event-grid'
  scope: group
  params: {
    name: topicName
    publicAccess: !privateNetwork
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
    withTopic: eventGridTopic
    // Never empty: the names of resources are evaluated even if their condition is false.
    topicName: eventGridTopic ? eventGrid!.outputs.name : topicName
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

// The Face account has a private endpoint too, but its public endpoint stays enabled, since devices call it.
var topicServices = eventGridTopic
  ? [{ id: eventGrid!.outputs.id, group: 'topic', zone: 'privatelink.eventgrid.azure.net' }]
  : []
var privateServices = concat(
  [
    { id: storage.outputs.id, group: 'blob', zone: 'privatelink.blob.${environment().suffixes.storage}' }
    { id: storage.outputs.id, group: 'table', zone: 'privatelink.table.${environment().suffixes.storage}' }
    { id: face.outputs.id, group: 'account', zone: 'privatelink.cognitiveservices.azure.com' }
    { id: keyVault.outputs.id, group: 'vault', zone: 'privatelink.vaultcore.azure.net' }
  ],
  topicServices
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
    deploymentIdentityId: deploymentIdentity.outputs.id
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    faceName: face.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    clientKeysSecretUri: keyVault.outputs.clientKeysUri
    userIdKeySecretUri: keyVault.outputs.userIdKeyUri
    webhookEndpointsSecretUri: keyVault.outputs.webhookEndpointsUri
    eventGridTopicEndpoint: eventGridTopic ? eventGrid!.outputs.endpoint : ''
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
  // The app needs these roles and endpoints at its start.
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

@description('Resource group of the deployment, for azd.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output SERVICE_API_NAME string = functionApp.outputs.name

@description('URL of the API, without a trailing slash.')
output SERVICE_API_URI string = functionApp.outputs.uri

metadata description = 'The function app on the Flex Consumption plan, its settings, and its authentication.'

param name string
param planName string

@description('Name of the service in azure.yaml. azd deploys to the app with this tag.')
param serviceName string

@description('Resource id and client id of the app\'s identity.')
param identityId string
param identityClientId string

@description('Resource id of the identity that writes and reads the deployed package.')
param deploymentIdentityId string
param storageName string

@description('Blob container of the deployed package.')
param packageContainer string
param faceName string
param applicationInsightsName string

@description('Key Vault secret with the value of CLIENT_KEYS. Empty: the setting is left out.')
param clientKeysSecretUri string

@description('Key Vault secret with the value of USER_ID_KEY. Empty: the setting is left out.')
param userIdKeySecretUri string

@description('Key Vault secret with the value of WEBHOOK_ENDPOINTS. Empty: the setting is left out.')
param webhookEndpointsSecretUri string

@description('Endpoint of the Event Grid topic. Empty: there is none.')
param eventGridTopicEndpoint string

@description('Further app settings by name. Empty ones are left out.')
param settings object

@description('Client id of the Entra app registration for which callers request tokens. Empty: App Service Authentication is off.')
param entraClientId string
param corsOrigins string[]

@description('Subnet for the app\'s outgoing traffic. Empty: none.')
param subnetId string
param zoneRedundant bool
param instanceMemoryMB int
param httpConcurrency int
param maximumInstanceCount int
param alwaysReadyInstances int
param location string
param tags object

var withAuthentication = !empty(entraClientId)
var givenSettings = toObject(
  filter(items(settings), setting => !empty(setting.value)),
  setting => setting.key,
  setting => setting.value
)

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource face 'Microsoft.CognitiveServices/accounts@2024-10-01' existing = {
  name: faceName
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': serviceName })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {}, '${deploymentIdentityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    // Flex Consumption rejects site properties that it does not have (error 51021), and it has no FTP: no `ftpsState`.
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      cors: { allowedOrigins: corsOrigins, supportCredentials: false }
    }
    functionAppConfig: {
      runtime: { name: 'node', version: '24' }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: deploymentIdentityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstances > 0 ? [{ name: 'http', instanceCount: alwaysReadyInstances }] : []
        triggers: { http: { perInstanceConcurrency: httpConcurrency } }
      }
    }
  }

  // A deployment authenticates with an Entra token. User name and password are refused.
  resource ftpPassword 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource deploymentPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(
    givenSettings,
    {
      AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
      AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identityClientId
      AZURE_CLIENT_ID: identityClientId
      // Limits @azure/identity to the managed identity; other credentials in the environment are ignored.
      AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential'
      // The host's start page would disclose the platform and its version.
      AzureWebJobsDisableHomepage: 'true'
      FACE_ENDPOINT: face.properties.endpoint
      APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsights.properties.ConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    },
    empty(clientKeysSecretUri) ? {} : { CLIENT_KEYS: '@Microsoft.KeyVault(SecretUri=${clientKeysSecretUri})' },
    empty(userIdKeySecretUri) ? {} : { USER_ID_KEY: '@Microsoft.KeyVault(SecretUri=${userIdKeySecretUri})' },
    empty(webhookEndpointsSecretUri)
      ? {}
      : { WEBHOOK_ENDPOINTS: '@Microsoft.KeyVault(SecretUri=${webhookEndpointsSecretUri})' },
    empty(eventGridTopicEndpoint) ? {} : { EVENT_GRID_TOPIC_ENDPOINT: eventGridTopicEndpoint }
  )
}

resource authentication 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: { enabled: withAuthentication }
    // The platform only validates tokens and adds the principal header. The app authorizes, since requests with client keys
    // have no token.
    globalValidation: { requireAuthentication: false, unauthenticatedClientAction: 'AllowAnonymous' }
    httpSettings: { requireHttps: true }
    identityProviders: withAuthentication
      ? {
          azureActiveDirectory: {
            enabled: true
            registration: {
              clientId: entraClientId
              openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
            }
            validation: { allowedAudiences: [entraClientId, 'api://${entraClientId}'] }
          }
        }
      : {}
    login: { tokenStore: { enabled: false } }
  }
  dependsOn: [appSettings]
}

output name string = app.name
output uri string = 'https://${app.properties.defaultHostName}'

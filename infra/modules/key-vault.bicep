metadata description = 'Stores the digests of client keys, the key of derived user ids and the receivers of webhooks, which only the app may read.'

@description('Name of the vault: 3 to 24 letters, digits and hyphens.')
param name string

@description('Whether there are client keys. Without any secret the vault is created empty, with its roles.')
param withClientKeys bool

@description('Value of CLIENT_KEYS.')
@secure()
param clientKeys object

@description('Whether there is a key of derived user ids.')
param withUserIdKey bool

@description('Value of USER_ID_KEY.')
@secure()
param userIdKey string

@description('Whether there are receivers of webhooks.')
param withWebhookEndpoints bool

@description('Receivers of webhooks by name.')
@secure()
param webhookEndpoints object

@description('Whether the vault has a public endpoint (access by identity only), or private endpoints only.')
param publicAccess bool

@description('Log Analytics workspace that receives the audit log.')
param workspaceId string
param location string
param tags object

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    // The minimum that the service accepts. Replaced secrets need no protection against deletion.
    softDeleteRetentionInDays: 7
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      // Deployments write the secret through the exception for trusted services.
      bypass: 'AzureServices'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

resource clientKeysSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (withClientKeys) {
  parent: vault
  name: 'client-keys'
  properties: {
    value: string(clientKeys)
    contentType: 'application/json'
  }
}

resource userIdKeySecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (withUserIdKey) {
  parent: vault
  name: 'user-id-key'
  properties: {
    value: userIdKey
    contentType: 'text/plain'
  }
}

resource webhookEndpointsSecret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (withWebhookEndpoints) {
  parent: vault
  name: 'webhook-endpoints'
  properties: {
    // The list of the setting WEBHOOK_ENDPOINTS.
    value: string(map(items(webhookEndpoints), endpoint => union({ name: endpoint.key }, endpoint.value)))
    contentType: 'application/json'
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

output id string = vault.id
output name string = vault.name
@description('Includes the version, so that new digests change the app\'s setting, and the platform resolves it immediately instead of within a day. Empty: no keys.')
output clientKeysUri string = withClientKeys ? clientKeysSecret!.properties.secretUriWithVersion : ''
@description('Includes the version, for the same reason. Empty: no key.')
output userIdKeyUri string = withUserIdKey ? userIdKeySecret!.properties.secretUriWithVersion : ''
@description('Includes the version, for the same reason. Empty: no receivers.')
output webhookEndpointsUri string = withWebhookEndpoints ? webhookEndpointsSecret!.properties.secretUriWithVersion : ''

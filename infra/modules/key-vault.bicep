metadata description = 'Stores the digests of client keys, which only the app may read.'

@description('Name of the vault: 3 to 24 letters, digits and hyphens.')
param name string

@description('Whether there are client keys. Otherwise the vault is created empty, with its roles.')
param withClientKeys bool

@description('Value of CLIENT_KEYS.')
@secure()
param clientKeys object

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
    // The minimum that the service accepts. Replaced digests need no protection against deletion.
    softDeleteRetentionInDays: 7
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      // Deployments write the secret through the exception for trusted services.
      bypass: 'AzureServices'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (withClientKeys) {
  parent: vault
  name: 'client-keys'
  properties: {
    value: string(clientKeys)
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
output clientKeysUri string = withClientKeys ? secret!.properties.secretUriWithVersion : ''

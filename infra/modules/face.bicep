metadata description = 'The Face account. Keys are disabled: the app authenticates by identity, devices with their session\'s token.'

@description('Name of the account and of its subdomain. Access by identity requires a subdomain.')
param name string

@description('Log Analytics workspace that receives the audit log.')
param workspaceId string
param location string
param tags object

resource account 'Microsoft.CognitiveServices/accounts@2024-10-01' = {
  name: name
  location: location
  tags: tags
  kind: 'Face'
  sku: { name: 'S0' }
  properties: {
    customSubDomainName: name
    disableLocalAuth: true
    // Devices call the account directly, from any network.
    publicNetworkAccess: 'Enabled'
    networkAcls: { defaultAction: 'Allow' }
  }
}

// The request log is left out: it contains the addresses of devices, which an erasure could not delete.
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: account
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'Audit', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output id string = account.id
output name string = account.name

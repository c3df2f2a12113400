metadata description = 'Outcomes (tables), reference images (blobs), the host\'s own blobs and the deployed package. Access by identity only.'

@description('Name of the account: 3 to 24 lower-case letters and digits.')
param name string

@description('SKU of the account.')
param redundancy string

@description('Age in days at which images uploaded with a session are deleted, as a fallback for the timer.')
param sessionImageBackstopDays int

@description('Days after which a stored reference image is deleted. 0: never.')
param referenceImageRetentionDays int

@description('Whether the account has public endpoints (access by identity only), or private endpoints only.')
param publicAccess bool
param location string
param tags object

// Names of the Functions host's containers: locks and schedules of timers, and function keys.
var hosts = ['azure-webjobs-hosts', 'azure-webjobs-secrets']
var images = 'reference-images'
var package = 'app-package'

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      // The lifecycle rules below use the exception for trusted services.
      bypass: 'AzureServices'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

// Erased images must not remain: soft delete and versioning are off.
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: false }
    containerDeleteRetentionPolicy: { enabled: false }
    restorePolicy: { enabled: false }
    isVersioningEnabled: false
    changeFeed: { enabled: false }
  }
}

// All containers are created here, so that roles can be limited to single containers: an identity with such a role cannot
// create a container.
resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for container in concat(hosts, [images, package]): {
    parent: blobs
    name: container
    properties: { publicAccess: 'None' }
  }
]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'session-images'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['reference-images/sessions/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: sessionImageBackstopDays } } }
          }
        }
        {
          name: 'held-images'
          type: 'Lifecycle'
          enabled: referenceImageRetentionDays > 0
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['reference-images/held/', 'reference-images/held-by/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: max(referenceImageRetentionDays, 1) } } }
          }
        }
      ]
    }
  }
  dependsOn: [blobs]
}

output id string = account.id
output name string = account.name
output hostContainers string[] = hosts
output imageContainer string = images
output packageContainer string = package

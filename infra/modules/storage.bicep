metadata description = 'Outcomes (tables), reference images (blobs), the host\'s own blobs and the deployed package. Reached by identity only.'

@description('Name of the account: 3 to 24 lower-case letters and digits.')
param name string

@description('SKU of the account.')
param redundancy string

@description('Age in days at which an image uploaded with a session goes, should the timer ever have missed it.')
param sessionImageBackstopDays int

@description('Days after which a held reference image goes. 0: never.')
param referenceImageRetentionDays int

@description('Whether the account is reached over the internet (by identity all the same), or by private endpoints only.')
param publicAccess bool
param location string
param tags object

// Names that the Functions host gives its own containers: locks and schedules of timers, and function keys.
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
      // The lifecycle rules below run as a trusted service.
      bypass: 'AzureServices'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

// What is erased must be gone: nothing here keeps deleted blobs or older versions of them.
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

// Every container that anything uses is made here, so that roles can be limited to single ones: an identity with a role on
// one container can make no other.
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

metadata description = 'Receives logs, traces and metrics. Telemetry is accepted from identities only; the connection string alone is not sufficient.'

param workspaceName string
param applicationInsightsName string

@description('Days for which logs are kept.')
param retentionDays int
param location string
param tags object

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
      // Without this feature, the service keeps data for 31 days if the retention is 30.
      immediatePurgeDataOn30Days: retentionDays == 30
    }
  }
}

// By default these tables keep data for 90 days regardless of the workspace's setting, and they contain ids of devices and
// users in paths, messages and properties. They exist as soon as the workspace does. Deployed one by one, since the workspace rejects
// concurrent changes.
@batchSize(1)
resource tables 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = [
  for table in ['AppRequests', 'AppDependencies', 'AppTraces', 'AppExceptions', 'AppMetrics']: {
    parent: workspace
    name: table
    properties: {
      retentionInDays: retentionDays
      // No archive beyond the retention.
      totalRetentionInDays: retentionDays
    }
  }
]

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: applicationInsightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
    // Addresses of callers are not stored.
    DisableIpMasking: false
  }
}

output workspaceId string = workspace.id
output workspaceName string = workspace.name
output applicationInsightsName string = applicationInsights.name

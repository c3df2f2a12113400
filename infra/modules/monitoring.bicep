metadata description = 'Where logs, traces and metrics go. Telemetry is accepted from identities only, not from every holder of the connection string.'

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
      // With 30 days the service otherwise keeps data for 31 before it is removed.
      immediatePurgeDataOn30Days: retentionDays == 30
    }
  }
}

// These tables keep 90 days whatever the workspace's setting is, and they hold device ids: in the paths of requests, and
// in the messages and properties beside them. The tables exist as soon as the workspace does. One by one, as the
// workspace accepts no two changes at once.
@batchSize(1)
resource tables 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = [
  for table in ['AppRequests', 'AppDependencies', 'AppTraces', 'AppExceptions', 'AppMetrics']: {
    parent: workspace
    name: table
    properties: {
      retentionInDays: retentionDays
      // No archive after that.
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
    // Callers' addresses are not kept.
    DisableIpMasking: false
  }
}

output workspaceId string = workspace.id
output workspaceName string = workspace.name
output applicationInsightsName string = applicationInsights.name

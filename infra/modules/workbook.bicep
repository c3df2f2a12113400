metadata description = 'The queries of infra/queries, saved in the workspace under "Face liveness", and a workbook that shows most of them.'

param workspaceName string

@description('Name of the workbook resource, a GUID.')
param workbookId string
param location string
param tags object

var queries = [
  { name: 'decisions', title: 'Checks by decision', query: loadTextContent('../queries/decisions.kql'), visualization: 'barchart' }
  { name: 'reasons', title: 'Reasons', query: loadTextContent('../queries/reasons.kql'), visualization: 'table' }
  { name: 'creations', title: 'Sessions and attempts', query: loadTextContent('../queries/creations.kql'), visualization: 'linechart' }
  { name: 'face-latency', title: 'Face service', query: loadTextContent('../queries/face-latency.kql'), visualization: 'table' }
  { name: 'storage-latency', title: 'Storage', query: loadTextContent('../queries/storage-latency.kql'), visualization: 'table' }
  { name: 'refusals', title: 'Refusals', query: loadTextContent('../queries/refusals.kql'), visualization: 'table' }
  { name: 'clients', title: 'Clients', query: loadTextContent('../queries/clients.kql'), visualization: 'table' }
  { name: 'maintenance', title: 'The timer', query: loadTextContent('../queries/maintenance.kql'), visualization: 'linechart' }
  { name: 'events-given-up', title: 'Events given up', query: loadTextContent('../queries/events-given-up.kql'), visualization: 'table' }
]
// Not in the workbook, since its query needs an id.
var oneRequest = { name: 'one-request', title: 'One request', query: loadTextContent('../queries/one-request.kql') }

var resourceType = 'microsoft.operationalinsights/workspaces'
var days = [1, 7, 30]
var timeRange = {
  type: 9
  name: 'time range'
  content: {
    version: 'KqlParameterItem/1.0'
    style: 'pills'
    queryType: 0
    resourceType: resourceType
    parameters: [
      {
        id: guid(workbookId, 'TimeRange')
        version: 'KqlParameterItem/1.0'
        name: 'TimeRange'
        type: 4
        isRequired: true
        value: { durationMs: 604800000 }
        typeSettings: { selectableValues: map(days, count => { durationMs: count * 86400000 }), allowCustom: true }
      }
    ]
  }
}
var tiles = [
  for each in queries: {
    type: 3
    name: each.name
    content: {
      version: 'KqlItem/1.0'
      title: each.title
      query: each.query
      size: 0
      timeContextFromParameter: 'TimeRange'
      queryType: 0
      resourceType: resourceType
      visualization: each.visualization
    }
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

// One by one, since the workspace rejects concurrent changes. Without the etag it refuses to replace existing searches.
@batchSize(1)
resource searches 'Microsoft.OperationalInsights/workspaces/savedSearches@2020-08-01' = [
  for each in concat(queries, [oneRequest]): {
    parent: workspace
    name: each.name
    properties: {
      category: 'Face liveness'
      displayName: each.title
      query: each.query
      version: 2
      #disable-next-line BCP037 // In the schema, `etag` is outside of `properties`, where the service ignores it. Azure Verified Modules use it here too.
      etag: '*'
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: workbookId
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Face liveness'
    category: 'workbook'
    sourceId: workspace.id
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([timeRange], tiles)
      fallbackResourceIds: [workspace.id]
    })
  }
}

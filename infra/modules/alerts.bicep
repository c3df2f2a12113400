metadata description = 'What an operator must hear of. Each alert is a question to the logs of the app, and any row that comes back raises it.'

param actionGroupName string

@description('Who is told. Empty: nobody; alerts show in the portal.')
param email string

@description('Log Analytics workspace of the app.')
param workspaceId string
param location string
param tags object

var rules = [
  {
    name: 'maintenance-overdue'
    title: 'Maintenance is overdue'
    description: 'maintainSessions, due every five minutes, has not succeeded for half an hour: it does not run, or sessions fail every time (MaintenanceFailed in the log). Outcomes that nobody asks for are lost 48 hours after their session began.'
    severity: 1
    query: '''
AppRequests
| where OperationName == 'maintainSessions' and Success
| summarize Runs = count()
| where Runs == 0
'''
    frequency: 'PT5M'
    window: 'PT30M'
  }
  {
    name: 'server-errors'
    title: 'Requests fail'
    description: 'More than 5 % of the requests within a quarter of an hour, and at least five, were answered with 5xx. RequestFailed in the log says why.'
    severity: 1
    query: '''
AppRequests
| where OperationName != 'maintainSessions'
| summarize Requests = sum(ItemCount), Hits = sumif(ItemCount, toint(ResultCode) >= 500)
| where Hits >= 5 and 100.0 * Hits / Requests > 5
'''
    frequency: 'PT5M'
    window: 'PT15M'
  }
  {
    name: 'throttling'
    title: 'Requests are throttled'
    description: 'More than 5 % of the requests within a quarter of an hour, and at least five, were answered with 429: the Face service throttles, or a device or user opens sessions beyond its limit.'
    severity: 2
    query: '''
AppRequests
| where OperationName != 'maintainSessions'
| summarize Requests = sum(ItemCount), Hits = sumif(ItemCount, toint(ResultCode) == 429)
| where Hits >= 5 and 100.0 * Hits / Requests > 5
'''
    frequency: 'PT5M'
    window: 'PT15M'
  }
]

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'liveness'
    emailReceivers: [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: rule.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.title
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: rule.frequency
      windowSize: rule.window
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      autoMitigate: true
      // A new workspace does not know its tables before the first line has come in.
      skipQueryValidation: true
      actions: { actionGroups: empty(email) ? [] : [actionGroup.id] }
    }
  }
]

metadata description = 'Alerts. Four query the logs of the app and fire if the result has a row; the fifth is an availability test of the app.'

param actionGroupName string

@description('Receives the alerts. Empty: alerts are displayed in the portal only.')
param email string

@description('Log Analytics workspace of the app.')
param workspaceId string

@description('Application Insights resource that holds the results of the availability test.')
param applicationInsightsName string

@description('URL that returns 200 while the app is ready.')
param readinessUrl string
param location string
param tags object

var rules = [
  {
    name: 'maintenance-overdue'
    title: 'Maintenance is overdue'
    description: 'maintainSessions, due every five minutes, has not succeeded for half an hour: it does not run, or sessions fail in every run (MaintenanceFailed in the log). Outcomes that no caller reads are lost 48 hours after the creation of the session.'
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
    description: 'More than 5 % of the requests within a quarter of an hour, and at least five, were answered with 5xx. RequestFailed in the log contains the error.'
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
  {
    name: 'events-given-up'
    title: 'Events are not delivered'
    description: 'A receiver has not accepted an event for three days, so the app has stopped retrying it (EventGivenUp in the log names the receivers). The receiver does not get the event until an operator redelivers it.'
    severity: 2
    query: '''
AppTraces
| where Message has 'EventGivenUp'
| summarize Events = count()
| where Events > 0
'''
    frequency: 'PT15M'
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
      // A new workspace has no tables until the first log line arrives.
      skipQueryValidation: true
      actions: { actionGroups: empty(email) ? [] : [actionGroup.id] }
    }
  }
]

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

// An app that never started has no logs, so the alerts above cannot fire. Each of three locations calls every fifteen
// minutes: 8,640 runs a month, each of which is billed.
resource availability 'Microsoft.Insights/webtests@2022-06-15' = {
  name: '${applicationInsightsName}-readiness'
  location: location
  // The service rejects a test without this tag.
  tags: union(tags, { 'hidden-link:${applicationInsights.id}': 'Resource' })
  kind: 'standard'
  properties: {
    Kind: 'standard'
    Name: '${applicationInsightsName}-readiness'
    SyntheticMonitorId: '${applicationInsightsName}-readiness'
    Description: 'Settings, tables, blobs and Face, as the app reports them.'
    Enabled: true
    Frequency: 900
    // The first call after an idle period starts an instance.
    Timeout: 60
    RetryEnabled: true
    Locations: [{ Id: 'emea-nl-ams-azr' }, { Id: 'us-va-ash-azr' }, { Id: 'apac-sg-sin-azr' }]
    Request: { RequestUrl: readinessUrl, HttpVerb: 'GET', ParseDependentRequests: false, FollowRedirects: false }
    ValidationRules: { ExpectedHttpStatusCode: 200, SSLCheck: true, SSLCertRemainingLifetimeCheck: 7 }
  }
}

resource unavailable 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'unavailable'
  location: 'global'
  tags: tags
  properties: {
    description: 'api/health/ready failed from at least two of three locations within half an hour. The response names the part that fails; 503 ServiceNotConfigured names a setting.'
    severity: 1
    enabled: true
    scopes: [availability.id, applicationInsights.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT30M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: availability.id
      componentId: applicationInsights.id
      // A single location may have problems of its own.
      failedLocationCount: 2
    }
    autoMitigate: true
    actions: empty(email) ? [] : [{ actionGroupId: actionGroup.id }]
  }
}

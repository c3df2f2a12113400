metadata description = 'Event Grid topic that receives the app\'s events as CloudEvents. Its keys are disabled: the app publishes by identity.'

param name string

@description('Whether the topic has a public endpoint (access by identity only), or a private endpoint only.')
param publicAccess bool
param location string
param tags object

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
  }
}

output id string = topic.id
output name string = topic.name
output endpoint string = topic.properties.endpoint

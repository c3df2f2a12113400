metadata description = 'A virtual network: one subnet for the app, one for the private endpoints.'

param name string

@description('Prefix of the subnets\' names.')
param subnetPrefix string
param location string
param tags object

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.0.0.0/23'] }
    subnets: [
      {
        name: '${subnetPrefix}-app'
        properties: {
          addressPrefix: '10.0.0.0/24'
          delegations: [{ name: 'app', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: '${subnetPrefix}-private-endpoints'
        properties: { addressPrefix: '10.0.1.0/24' }
      }
    ]
  }
}

output id string = network.id
output appSubnetId string = '${network.id}/subnets/${subnetPrefix}-app'
output privateEndpointSubnetId string = '${network.id}/subnets/${subnetPrefix}-private-endpoints'

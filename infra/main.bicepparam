using 'main.bicep'

// Every value comes from the azd environment: `azd env set NAME VALUE`, then `azd provision`.

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param faceLocation = readEnvironmentVariable('FACE_LOCATION', '')
param faceRole = readEnvironmentVariable('FACE_ROLE', 'Cognitive Services User')

param clientKeys = readEnvironmentVariable('CLIENT_KEYS', '')
param entraClientId = readEnvironmentVariable('ENTRA_CLIENT_ID', '')
var origins = readEnvironmentVariable('CORS_ORIGINS', '')
param corsOrigins = empty(origins) ? [] : split(origins, ',')
param privateNetwork = bool(readEnvironmentVariable('PRIVATE_NETWORK', 'false'))
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')

param storageRedundancy = readEnvironmentVariable('STORAGE_REDUNDANCY', 'Standard_LRS')
param referenceImageRetentionDays = int(readEnvironmentVariable('REFERENCE_IMAGE_RETENTION_DAYS', '0'))
param logRetentionDays = int(readEnvironmentVariable('LOG_RETENTION_DAYS', '30'))

param instanceMemoryMB = int(readEnvironmentVariable('INSTANCE_MEMORY_MB', '2048'))
param httpConcurrency = int(readEnvironmentVariable('HTTP_CONCURRENCY', '32'))
param maximumInstanceCount = int(readEnvironmentVariable('MAXIMUM_INSTANCE_COUNT', '40'))
param alwaysReadyInstances = int(readEnvironmentVariable('ALWAYS_READY_INSTANCES', '0'))

param settings = {
  FACE_API_VERSION: readEnvironmentVariable('FACE_API_VERSION', '')
  FACE_TIMEOUT_SECONDS: readEnvironmentVariable('FACE_TIMEOUT_SECONDS', '')
  REQUIRE_CLIENT_DIGEST: readEnvironmentVariable('REQUIRE_CLIENT_DIGEST', '')
  VERIFY_CONFIDENCE_FLOOR: readEnvironmentVariable('VERIFY_CONFIDENCE_FLOOR', '')
  ALLOW_DEVICE_SET_IN_CLIENT: readEnvironmentVariable('ALLOW_DEVICE_SET_IN_CLIENT', '')
  CREATION_LIMIT: readEnvironmentVariable('CREATION_LIMIT', '')
  CREATION_WINDOW_SECONDS: readEnvironmentVariable('CREATION_WINDOW_SECONDS', '')
  OWNER_CREATION_LIMIT: readEnvironmentVariable('OWNER_CREATION_LIMIT', '')
  OWNER_IMAGE_LIMIT: readEnvironmentVariable('OWNER_IMAGE_LIMIT', '')
  LOCKOUT_REJECTIONS: readEnvironmentVariable('LOCKOUT_REJECTIONS', '')
  LOCKOUT_SECONDS: readEnvironmentVariable('LOCKOUT_SECONDS', '')
  SESSION_RETENTION_HOURS: readEnvironmentVariable('SESSION_RETENTION_HOURS', '48')
  OUTCOME_RETENTION_DAYS: readEnvironmentVariable('OUTCOME_RETENTION_DAYS', '')
  REFERENCE_IMAGE_RETENTION_DAYS: readEnvironmentVariable('REFERENCE_IMAGE_RETENTION_DAYS', '')
  MAINTENANCE_CONCURRENCY: readEnvironmentVariable('MAINTENANCE_CONCURRENCY', '')
  MAINTENANCE_FACE_CALLS_PER_SECOND: readEnvironmentVariable('MAINTENANCE_FACE_CALLS_PER_SECOND', '')
  MAINTENANCE_BUDGET_SECONDS: readEnvironmentVariable('MAINTENANCE_BUDGET_SECONDS', '')
  MAINTENANCE_MAX_ATTEMPTS: readEnvironmentVariable('MAINTENANCE_MAX_ATTEMPTS', '')
  TELEMETRY_SAMPLING_RATIO: readEnvironmentVariable('TELEMETRY_SAMPLING_RATIO', '')
}

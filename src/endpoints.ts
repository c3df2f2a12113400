import { apiDescriptionEndpoints } from "./functions/api-description.ts";
import { deviceEndpoints } from "./functions/devices.ts";
import { errorCodeEndpoints } from "./functions/error-codes.ts";
import { eventEndpoints } from "./functions/events.ts";
import { faceHistoryEndpoints } from "./functions/face-history.ts";
import { faceSessionEndpoints } from "./functions/face-sessions.ts";
import { faceSettingsEndpoints } from "./functions/face-settings.ts";
import { fallbackEndpoints } from "./functions/fallback.ts";
import { healthEndpoints } from "./functions/health.ts";
import { outcomeEndpoints } from "./functions/outcomes.ts";
import { referenceImageEndpoints } from "./functions/reference-images.ts";
import { sessionImageEndpoints } from "./functions/session-images.ts";
import { sessionEndpoints } from "./functions/sessions.ts";
import { userEndpoints } from "./functions/users.ts";
import type { Endpoint } from "./http/endpoint.ts";

/** All operations: those of the Face API and the app's own. */
const named: Endpoint[] = [
  ...faceSessionEndpoints,
  ...faceHistoryEndpoints,
  ...faceSettingsEndpoints,
  ...sessionImageEndpoints,
  ...sessionEndpoints,
  ...deviceEndpoints,
  ...userEndpoints,
  ...outcomeEndpoints,
  ...referenceImageEndpoints,
  ...eventEndpoints,
  ...errorCodeEndpoints,
  ...healthEndpoints,
  ...apiDescriptionEndpoints,
];

export const endpoints: Endpoint[] = [...named, ...fallbackEndpoints(named)];

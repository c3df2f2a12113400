import { advise, type Guidance } from "../guidance.ts";
import type { Reason } from "../liveness/result/decision.ts";

/** The reasons of decisions, grouped by what to do. */
export const decisionReasons: Record<Reason, Guidance> = {
  ...advise(false, "Continue, because this part of the check succeeded.", {
    FaceMatched: "The face matches the reference image with at least the required confidence.",
    RealFace: "The service detected a live person.",
  }),
  ...advise(
    true,
    "Send the digest that the device's SDK returned to `settle`, or start the check again if it is lost.",
    {
      ClientDigestMissing:
        "No digest was sent to `settle`. If `REQUIRE_CLIENT_DIGEST` is set, the session is inconclusive without one.",
    },
  ),
  ...advise(true, "Ask the user to look into the camera in person, in even light, and to try again.", {
    LivenessUncertain: "The service could not decide whether a live person was in front of the camera.",
    SpoofDetected: "The service detected a photo, a screen, a mask or another imitation of a face.",
  }),
  ...advise(true, "Ask the user to try again with the face uncovered, or to renew the reference image.", {
    ConfidenceBelowThreshold: "The face matches the reference image, with less confidence than required.",
    FaceNotMatched: "The face is not that of the reference image.",
  }),
  ...advise(true, "Show the advice for the error of the last attempt, then let the user try again.", {
    AttemptsFailed: "Every attempt so far ended with an error; the audit entries have its code.",
    ClientError: "The app reported a client error to `settle`, such as the failure of the camera.",
  }),
  ...advise(true, "Ask the user to start the check again.", {
    SessionUnused: "The session ended without an attempt.",
  }),
  ...advise(false, "Do not offer another attempt, and have a person examine the case.", {
    ClientDigestMismatch:
      "The digest of the device differs from that of the service: the result was manipulated on the way.",
    ClientIpMismatch: "The device used another network address than `expectedClientIpAddress` allows.",
    VerifyImageHashMismatch: "The service compared the face with another image than the expected one.",
  }),
  ...advise(false, "Have a person decide, because the next session is likely to end in the same way.", {
    AbuseDetected: "The service's abuse monitoring flagged an attempt.",
    ClientIpMissing: "The service did not return the device's address, so it could not be checked.",
    VerifyImageHashMissing:
      "The device submitted the image, and the service returned no hash of it. Set `returnVerifyImageHash`.",
    VerifyResultMissing: "The service returned no comparison with the reference image.",
  }),
};

import { advise } from "../guidance.ts";

/**
 * Errors of attempts, grouped by what to do: those that the Face service records with an attempt, and the `LivenessError` and
 * `RecognitionError` values of the SDKs for iOS, Android and the web, in the spelling of the service and the web. Older
 * names of the SDKs are included. The set is open: the service and later SDKs may add codes.
 */
export const deviceErrors = {
  ...advise(true, "Ask the user to uncover the mouth and the lower part of the face.", {
    FaceMouthRegionNotVisible: "The mouth is covered or outside the picture.",
    FaceWithMaskDetected: "The face is covered by a mask.",
  }),
  ...advise(true, "Ask the user to take off sunglasses and to keep hair away from the eyes.", {
    FaceEyeRegionNotVisible: "The eyes are covered or outside the picture.",
  }),
  ...advise(true, "Ask the user to hold the device still and to clean the camera's lens.", {
    ExcessiveImageBlurDetected: "The picture is too blurred.",
  }),
  ...advise(true, "Ask the user to move away from direct or uneven light.", {
    ExcessiveFaceBrightness: "The face is too bright, or lit from one side.",
  }),
  ...advise(true, "Ask the user to go to a darker place and to set the screen to full brightness.", {
    EnvironmentNotSupported: "The light is not suitable; the mode `Passive` fails in bright light.",
  }),
  ...advise(true, "Ask the user to keep the face in the frame and to look straight at the screen.", {
    FaceNotFrontal: "The face is turned away from the camera.",
    FaceTrackingFailed: "The face was lost during the attempt.",
    NoFaceDetected: "No face was in front of the camera.",
  }),
  ...advise(true, "Ask the user to follow the instructions on the screen until the end.", {
    ActionNotPerformed: "The user did not make the requested movement (older SDK for iOS).",
    HeadTurnNotPerformed: "The user did not turn the head as requested.",
    RandomPoseNotPerformed: "The user did not turn the head as requested (older SDK for the web).",
    SmileNotPerformed: "The user did not smile when requested.",
    TimedOut: "The attempt took longer than the SDK allows.",
  }),
  ...advise(true, "Offer the check again, and explain why it is needed.", {
    UserCanceledActiveMotion: "The user left the check during the movements.",
    UserCanceledActiveMotionPrompt: "The user left the check at the announcement of the movements.",
    UserCanceledSession: "The user left the check.",
    UserCancelledActiveMotion: "The user left the check during the movements (older SDK for the web).",
    UserCancelledSession: "The user left the check (older SDK for the web).",
  }),
  ...advise(true, "Ask the user to allow the use of the camera in the settings of the device or browser.", {
    CameraPermissionDenied: "The app may not use the camera.",
  }),
  ...advise(true, "Ask the user to close other apps that use the camera, or to use another device.", {
    CameraStartupFailure: "The camera could not be started.",
  }),
  ...advise(true, "Ask the user to check the network connection and to try again.", {
    ServerRequestTimedOut: "The device received no response of the Face service in time (SDK for the web).",
    ServerTimedOut: "The device received no response of the Face service in time (SDKs for iOS and Android).",
  }),
  ...advise(true, "Ask the user to try again, and offer another way if the error returns.", {
    GenericFailure: "A failure that belongs to no other code.",
    Unexpected: "The device received a response that its SDK does not know.",
    UnexpectedServerError: "The Face service failed, with a status of 500 or above.",
  }),
  ...advise(true, "Start the check again with a new session and its token.", {
    InvalidToken: "The token has expired, has been revoked, or belongs to another Face resource.",
    UnexpectedClientError:
      "The Face service refused the device's request, most often because the token ended or was used up.",
  }),
  ...advise(false, "Ask the user to update the app, or to reload the page.", {
    ClientVersionNotSupported: "The Face service does not support this version of the SDK any more.",
  }),
  ...advise(false, "Correct the app, because the user cannot resolve this.", {
    SetVerifyImageNotAllowed: "The app gave the SDK an image, and the session already has one or needs none.",
    VerifyImageNotProvided: "The session expects an image from the device, and the app gave the SDK none.",
  }),
  ...advise(false, "Ask for another reference image, with one clearly visible face.", {
    ContentDecodingError: "The reference image cannot be decoded.",
    FaceNotFound: "The reference image shows no face.",
    MultipleFaceFound: "The reference image shows more than one face.",
    UnsupportedMediaType: "The format of the reference image is not supported.",
  }),
  ...advise(false, "Ask for a reference image between 1 KB and 6 MB.", {
    ImageSizeIsTooLarge: "The reference image is too large.",
    ImageSizeIsTooSmall: "The reference image is too small.",
  }),
};

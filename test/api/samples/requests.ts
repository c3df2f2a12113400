import type { ApiVersion, SessionKind } from "../../../src/face/model.ts";
import { makeImage } from "../../fixtures/images.ts";
import { type Field, form, type Headers, json, part, type SentBody } from "./bodies.ts";

/** What Microsoft's samples, tutorials and client libraries send. Only endpoint, key, version and ids are replaced. */

export interface SampleRequest {
  client: string;
  kind: SessionKind;
  /** The versions whose contract has the body's layout. */
  versions: readonly ApiVersion[];
  headers: Headers;
  body: SentBody;
  /** When the verify image is sent: with the creation or by the device. */
  image: "none" | "now" | "later";
  /** Headers of the read of the result, beside the key. */
  getHeaders: Headers;
  /** The samples' endpoint ends with a slash. */
  doubleSlash?: true;
  /** The id of the device, to compare with that of the session. */
  device?: string;
  /** As the last segment of the path is spelled. */
  operation?: string;
}

export const image = makeImage();

export const previews = ["v1.1-preview.1", "v1.2-preview.1"] as const;
export const stable = ["v1.2", "v1.3-preview.1"] as const;
/** Bodies without a user id, which v1.3 requires. */
export const withoutUser = ["v1.2"] as const;

export const device = "5b0a1c52-3e8e-4a0f-9d57-0c6f2f1f7a10";
export const user = "c7d1f0b4-0d6b-4c53-8a57-9a4b3f6e2d21";
export const guid = "0d3a4f86-9a5e-4c34-a9a6-3f2b1c5d7e90";
const mode: Field = ["livenessOperationMode", "PassiveActive"];
const ids = (deviceId: string, userId: string): Field[] => [
  ["deviceCorrelationId", deviceId],
  ["userCorrelationId", userId],
];
const sessionImage: Field = ["enableSessionImage", "true"];
export const octets = "application/octet-stream";

const sample =
  (kind: SessionKind, image: SampleRequest["image"]) =>
  (
    client: string,
    versions: readonly ApiVersion[],
    body: SentBody,
    headers: Headers = [],
    getHeaders: Headers = [],
  ): SampleRequest => ({ client, kind, versions, headers, body, image, getHeaders });
export const liveness = sample("liveness", "none");
export const verify = sample("livenessWithVerify", "now");
export const verifyLater = sample("livenessWithVerify", "later");

const jsonUtf8: Headers = [["Content-Type", "application/json; charset=UTF-8"]];
export const plain = (name: string, text: string) => part([`Content-Disposition: form-data; name="${name}"`], text);
export const quotedFile = (filename: string, type: string, name = "verifyImage") =>
  part([`Content-Disposition: form-data; name="${name}"; filename="${filename}"`, `Content-Type: ${type}`], image);

/* Next.js, Angular, Vue: fetch of Node. */

const nodeFetch = (sample: string): Headers => [
  ["X-MS-AZSDK-Telemetry", `sample=${sample}`],
  ["accept", "*/*"],
  ["accept-language", "*"],
  ["sec-fetch-mode", "cors"],
  ["user-agent", "node"],
  ["accept-encoding", "gzip, deflate"],
];
const webFields: Field[] = [mode, ...ids(device, user)];
const webForm = (filename: string, type: string, boundary: string) =>
  form(boundary, [
    quotedFile(filename, type),
    ...[...webFields, sessionImage].map(([name, text]) => plain(name, text)),
  ]);
const undici = "----formdata-undici-012345678901";

const web: SampleRequest[] = (
  [
    ["Next.js", "nextjs-face-web-sdk", "me.jpg", "image/jpeg"],
    ["Angular on Node 22", "angular-face-web-sdk", "undefined", octets],
    ["Angular on Node 24", "angular-face-web-sdk", "blob", octets],
    ["Vue", "vuejs-face-web-sdk", "blob", octets],
  ] as const
).flatMap(([client, telemetry, filename, type]) => {
  const getHeaders: Headers = [...nodeFetch(telemetry), ["Content-Type", "application/json"]];
  return [
    liveness(client, stable, json([...webFields, sessionImage]), nodeFetch(telemetry), getHeaders),
    verify(client, stable, webForm(filename, type, undici), nodeFetch(telemetry), getHeaders),
  ].map((sample) => ({ ...sample, doubleSlash: true as const }));
});

/* Plain JavaScript in a browser. */

const mediaDevice = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const browserForm = (deviceId: string) =>
  form("----WebKitFormBoundaryAbCdEfGh01234567", [
    quotedFile("me.jpg", "image/jpeg"),
    ...[mode, ...ids(deviceId, "a1B2c3D4e5"), sessionImage].map(([name, text]) => plain(name, text)),
  ]);
const browser: SampleRequest[] = [
  liveness(
    "plain JavaScript",
    stable,
    json([mode, ...ids(mediaDevice, "a1B2c3D4e5"), sessionImage]),
    [],
    [["Content-Type", "application/json"]],
  ),
  verify("plain JavaScript", stable, browserForm(mediaDevice)),
  verify("plain JavaScript without a media device", stable, browserForm("undefined")),
];

/* Kotlin. */

const kotlinField = ([name, text]: Field) =>
  part([`Content-Type: application/json; charset=UTF-8`, `Content-Disposition: form-data; name=${name}`], text);
const kotlinFile = part(
  [
    "Content-Disposition: form-data; name=verifyImage; filename=VerifyImage",
    `Content-Type: ${octets}`,
    "Content-Transfer-Encoding: binary",
  ],
  image,
);
const kotlin: SampleRequest[] = [
  liveness("Kotlin", stable, { ...json(webFields, "application/json; charset=UTF-8"), chunked: true }, [], jsonUtf8),
  verify("Kotlin", stable, { ...form(guid, [...webFields.map(kotlinField), kotlinFile]), chunked: true }, [], jsonUtf8),
  verifyLater("Kotlin with the image in the client", stable, {
    ...form(guid, webFields.map(kotlinField)),
    chunked: true,
  }),
];

/* Swift: the fields come from a dictionary. */

const swiftFields = [mode, ...ids(device.toUpperCase(), user.toUpperCase())];
const swiftOrders = swiftFields.flatMap((first) => {
  const others = swiftFields.filter((field) => field !== first);
  return [
    [first, ...others],
    [first, ...others.toReversed()],
  ];
});
const swiftTelemetry: Headers = [["X-MS-AZSDK-Telemetry", "sample=swift-face-ios-sdk;appversion=1.1"]];
const swift = swiftOrders.flatMap((fields, index) => {
  const parts = fields.map(([name, text]) =>
    part(["Content-Type: text/plain; charset=utf-8", `Content-Disposition: form-data; name="${name}"`], text),
  );
  const client = `Swift, order ${index + 1} of the fields`;
  return [
    liveness(client, stable, json(fields), swiftTelemetry),
    verify(client, stable, form(guid.toUpperCase(), [...parts, quotedFile("VerifyImage", octets)]), swiftTelemetry),
    verifyLater(`${client}, no image`, stable, form(guid.toUpperCase(), parts), swiftTelemetry),
  ];
});

/* Flutter. */

const constantFields = [mode, ...ids("1234567890", "0987654321")];
const lowerField = ([name, text]: Field) => part([`content-disposition: form-data; name="${name}"`], text);
const flutter: SampleRequest[] = [
  liveness("Flutter", stable, json(constantFields, "application/json; charset=UTF-8"), [], jsonUtf8),
  verify(
    "Flutter",
    stable,
    form("--dio-boundary-0123456789", [
      ...constantFields.map(lowerField),
      part(
        [`content-disposition: form-data; name="verifyImage"; filename="picked.jpg"`, `content-type: ${octets}`],
        image,
      ),
    ]),
    [],
    jsonUtf8,
  ),
];

/* React Native. */

const axios: Headers = [["Accept", "application/json, text/plain, */*"]];
const axiosGet: Headers = [...axios, ...jsonUtf8];
const zeros = "00000000-0000-0000-0000-000000000000";
const zeroFields = [mode, ...ids(zeros, zeros)];
const iosBoundary = "Ab0-_.".repeat(11).padEnd(70, "z");
const iosDisposition = `content-disposition: form-data; name="verifyImage"; filename="picked.jpg"`;
const reactNative: SampleRequest[] = [
  liveness("React Native", stable, json(constantFields, "application/json; charset=UTF-8"), axios, axiosGet),
  verify(
    "React Native on Android",
    stable,
    form(guid, [
      ...zeroFields.map(([name, text]) =>
        part([`content-disposition: form-data; name="${name}"`, `Content-Length: ${text.length}`], text),
      ),
      part(
        [
          `content-disposition: form-data; name="verifyImage"; filename="1732798800000.png"`,
          "Content-Type: image/jpeg",
          `Content-Length: ${image.length}`,
        ],
        image,
      ),
    ]),
    axios,
    axiosGet,
  ),
  ...[
    [iosDisposition, "content-type: image/jpeg"],
    ["content-type: image/jpeg", iosDisposition],
  ].map((headers, index) =>
    verify(
      `React Native on iOS, order ${index + 1} of the headers`,
      stable,
      form(iosBoundary, [...zeroFields.map(lowerField), part(headers, image)]),
      axios,
      axiosGet,
    ),
  ),
];

const maui = liveness("MAUI", stable, json(webFields, "application/json; charset=utf-8"));

/* The tutorial's curl calls. */

const curl: Headers = [
  ["User-Agent", "curl/7.88.1"],
  ["Accept", "*/*"],
];
const spaced = (fields: object) => JSON.stringify(fields, undefined, 4).replaceAll("\n", "\r\n");
const tutorialBody = { livenessOperationMode: "passive", deviceCorrelationId: "723d6d03-ef33-40a8-9682-23a1feb7bccd" };
const tutorial: SampleRequest[] = [
  liveness("tutorial", withoutUser, json(spaced({ ...tutorialBody, enableSessionImage: "true" })), curl, curl),
  ...[
    verify(
      "tutorial",
      withoutUser,
      form("------------------------0123456789abcdef", [
        plain("Parameters", spaced(tutorialBody)),
        quotedFile("test.png", "image/png", "VerifyImage"),
      ]),
      curl,
      curl,
    ),
    verifyLater(
      "tutorial, the body without an image on the other route",
      withoutUser,
      json(spaced({ ...tutorialBody, enableSessionImage: "true" })),
      curl,
      curl,
    ),
  ].map((sample) => ({ ...sample, operation: "detectLivenesswithVerify-sessions" })),
  liveness("reference page", previews, json(spaced({ ...tutorialBody, livenessOperationMode: "Passive" })), curl),
];

export const sampleRequests: SampleRequest[] = [
  ...web,
  ...browser,
  ...kotlin,
  ...swift,
  ...flutter,
  ...reactNative,
  maui,
  ...tutorial,
];

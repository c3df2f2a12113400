import { type Field, form, type Headers, json, type Part, part } from "./bodies.ts";
import {
  device,
  guid,
  image,
  liveness,
  octets,
  plain,
  previews,
  quotedFile,
  type SampleRequest,
  stable,
  user,
  verify,
  verifyLater,
  withoutUser,
} from "./requests.ts";

/** What Microsoft's client libraries send. */

const fields: Field[] = [
  ["livenessOperationMode", "Passive"],
  ["deviceCorrelationId", device],
];
const withUser: Field[] = [...fields, ["userCorrelationId", user]];
const parameters = JSON.stringify(Object.fromEntries(fields));

/* JavaScript. */

const azsdk: Headers = [
  ["accept", "application/json"],
  ["Accept-Encoding", "gzip,deflate"],
  ["x-ms-client-request-id", guid],
  ["User-Agent", "azsdk-js-ai-vision-face-rest/1.0.0-beta.3 core-rest-pipeline/1.24.0 Node/24.21.0 (Linux; x64)"],
];
const lower = (name: string, type: string, filename?: string) => [
  `content-type: ${type}`,
  `content-disposition: form-data; name="${name}"${filename === undefined ? "" : `; filename="${filename}"`}`,
];
const scalar = ([name, text]: Field) => part(lower(name, "text/plain; charset=UTF-8"), text);
const azsdkBoundary = `----AzSDKFormBoundary${guid}`;
const twoLines = { end: "\r\n\r\n" };
const previewParts = [
  part(lower("VerifyImage", octets, "blob"), image),
  part(lower("Parameters", "application/json"), parameters),
];
const flatFile = part(lower("verifyImage", octets, "me.jpg"), image);
const optional: Field[] = [
  ["authTokenTimeToLiveInSeconds", "600"],
  ["verifyConfidenceThreshold", "0.5"],
];
/** Fields that the contract of v1.1-preview.1 lacks. */
const newer = ["returnVerifyImageHash", "true"] as const;

const javascript: SampleRequest[] = [
  liveness("JavaScript client beta.1", previews, json(fields), azsdk, azsdk),
  verify("JavaScript client beta.1", previews, form(azsdkBoundary, previewParts, twoLines), azsdk, azsdk),
  verify(
    "JavaScript client beta.1, parameters first",
    previews,
    form(azsdkBoundary, previewParts.toReversed(), twoLines),
    azsdk,
    azsdk,
  ),
  liveness("JavaScript client beta.3", withoutUser, json(fields), azsdk, azsdk),
  liveness("JavaScript client beta.3 with a user", stable, json(withUser), azsdk, azsdk),
  verify(
    "JavaScript client beta.3",
    withoutUser,
    form(azsdkBoundary, [...[...fields, ...optional, newer].map(scalar), flatFile], twoLines),
    azsdk,
    azsdk,
  ),
  verify(
    "JavaScript client, the image in the middle",
    withoutUser,
    form(azsdkBoundary, [...fields.slice(0, 1).map(scalar), flatFile, ...fields.slice(1).map(scalar)], twoLines),
    azsdk,
    azsdk,
  ),
];

/* .NET. */

const dotnetBoundary = "Az0=_".repeat(14);
const dotnet: Headers = [
  ["x-ms-client-request-id", guid],
  ["x-ms-return-client-request-id", "true"],
  ["User-Agent", "azsdk-net-AI.Vision.Face/1.0.0-beta.3 (.NET 9.0.0; Linux)"],
  ["Accept", "application/json"],
];
const dotnetText = ([name, text]: Field) =>
  part(["Content-Type: text/plain; charset=utf-8", `Content-Disposition: form-data; name=${name}`], text);
const dotnetFile = (name: string, filename: string) =>
  part(
    [
      `Content-Type: ${octets}`,
      `Content-Disposition: form-data; name=${name}; filename=${filename}; filename*=utf-8''${filename}`,
    ],
    image,
  );
const quoted = { quote: '"' };
const dotnetOld = form(
  dotnetBoundary,
  [dotnetText(["Parameters", parameters]), dotnetFile("VerifyImage", "VerifyImage")],
  quoted,
);
const net: SampleRequest[] = [
  liveness(".NET client", [...previews, ...withoutUser], json(fields), dotnet, dotnet),
  liveness(".NET client with a user", stable, json(withUser), dotnet, dotnet),
  verify(
    ".NET client, one argument",
    withoutUser,
    form(dotnetBoundary, [...fields.map(dotnetText), dotnetFile("verifyImage", "me.jpg")], quoted),
    dotnet,
    dotnet,
  ),
  verify(
    ".NET client, one argument, the image in the middle",
    withoutUser,
    form(
      dotnetBoundary,
      [
        ...[fields.slice(0, 1), optional.slice(1)].flat().map(dotnetText),
        dotnetFile("verifyImage", "verifyImage"),
        ...[fields.slice(1), optional.slice(0, 1)].flat().map(dotnetText),
      ],
      quoted,
    ),
    dotnet,
    dotnet,
  ),
  verify(".NET client, two arguments", [...previews, ...withoutUser], dotnetOld, dotnet, dotnet),
  verify(
    ".NET client of the previews: the parameters have no type",
    previews,
    form(
      dotnetBoundary,
      [part(["Content-Disposition: form-data; name=Parameters"], parameters), dotnetFile("VerifyImage", "VerifyImage")],
      quoted,
    ),
    dotnet,
    dotnet,
  ),
  verifyLater(".NET client without a stream", [...previews, ...withoutUser], json(fields), dotnet, dotnet),
];

/* Java and Python. */

const javaHeaders: Headers = [
  ["x-ms-client-request-id", guid],
  ["User-Agent", "azsdk-java-azure-ai-vision-face/1.0.0-beta.2 (17.0.13; Linux; 6.8.0)"],
];
const javaParameters = part(
  [`Content-Disposition: form-data; name="Parameters"`, "Content-Type: application/json"],
  parameters,
);
const java: SampleRequest[] = [
  verify(
    "Java client",
    previews,
    form(guid.slice(0, 16), [javaParameters, quotedFile("me.jpg", octets, "VerifyImage")], { end: "" }),
    javaHeaders,
    javaHeaders,
  ),
  verifyLater("Java client without an image", previews, json(fields), javaHeaders, javaHeaders),
];
const python = verify(
  "Python client",
  previews,
  form("0123456789abcdef0123456789abcdef", [
    plain("Parameters", parameters),
    quotedFile("VerifyImage", octets, "VerifyImage"),
  ]),
);

/* curl, with a file for each field. */

const curlFile = (name: string, type: string, content: string | Buffer, filename = name) =>
  part([`content-disposition: form-data; name="${name}"; filename="${filename}"`, `content-type: ${type}`], content);
const curlImage = (name: string) => curlFile(name, "image/jpeg", image, "mé %22x%22.jpg");
const curlForm = (...parts: Part[]) => ({ ...form("b", parts), contentType: "Multipart/Form-Data;boundary=b" });
const umlaut = "Gerät 7";
const curlFields = withUser.map(([name, text]) => curlFile(name, octets, text === device ? umlaut : text));
const curlParameters = curlFile("Parameters", "application/json", parameters.replace(device, umlaut));
const curl = [
  verify("curl, files only", previews, curlForm(curlParameters, curlImage("VerifyImage"))),
  verify("curl, files only", stable, curlForm(curlImage("verifyImage"), ...curlFields)),
].map((sample) => ({ ...sample, device: umlaut }));

export const libraryRequests: SampleRequest[] = [...javascript, ...net, ...java, python, ...curl];

/** Requests that the service refuses as well, with the code of the error. */
export const refusedRequests: (SampleRequest & { code: string })[] = [
  {
    ...verify(
      "JavaScript client beta.3 with bytes: no file name",
      withoutUser,
      form(azsdkBoundary, [...fields.map(scalar), part(lower("verifyImage", octets), image)], twoLines),
    ),
    code: "InvalidRequestBody",
  },
  {
    ...verify(".NET client of v1.3 with verify: no user", ["v1.3-preview.1"], dotnetOld),
    code: "InvalidRequestBody",
  },
  {
    ...liveness(
      "plain JavaScript without a media device: no device",
      stable,
      json([
        ["livenessOperationMode", "PassiveActive"],
        ["userCorrelationId", "a1B2c3D4e5"],
      ]),
    ),
    code: "InvalidDeviceCorrelationId",
  },
];

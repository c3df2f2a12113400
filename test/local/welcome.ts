import type { Stack } from "./stack.ts";

/** The addresses of the stack, and first calls as lines for bash. */
export function makeWelcome(stack: Stack, dataFolder: string | undefined): string {
  return `
Face liveness functions, local stack

  app            ${stack.url}
  Face           ${stack.usesEmulator ? `${stack.emulator.url} (emulator)` : stack.settings.FACE_ENDPOINT}
  storage        ${describeStorage(stack, dataFolder)}
  webhooks       ${stack.receiver.url}, each printed here${sendsElsewhere(stack) ? " (WEBHOOK_ENDPOINTS is set: only what the app sends there)" : ""}

First calls, in bash${needsKey(stack) ? " (after: export CLIENT_KEY=<a client's key>)" : ""}:

${makeFirstCalls(stack)}

npm run demo makes all these calls. Ctrl-C ends everything.
`;
}

function describeStorage({ azurite: { ports } }: Stack, dataFolder: string | undefined): string {
  const place = dataFolder === undefined ? "in memory" : `data in ${dataFolder}`;
  return `127.0.0.1, ports ${ports.blob} (blobs), ${ports.queue} (queues), ${ports.table} (tables): Azurite, ${place}`;
}

/** Whether the app has endpoints of its own. */
function sendsElsewhere({ settings, receiver }: Stack): boolean {
  return settings.WEBHOOK_ENDPOINTS !== receiver.endpoints;
}

function needsKey(stack: Stack): boolean {
  return Boolean(stack.settings.CLIENT_KEYS);
}

function makeFirstCalls(stack: Stack): string {
  const key = needsKey(stack) ? ` -H "Ocp-Apim-Subscription-Key: $CLIENT_KEY"` : "";
  const json = `-H "Content-Type: application/json"`;
  const field = (name: string) => `$(sed -E 's/.*"${name}":"([^"]*)".*/\\1/' <<< "$created")`;
  const play = stack.usesEmulator
    ? `curl -s ${stack.emulator.url}/emulator/sessions/$sessionId/attempts -H "Authorization: Bearer $authToken" \\
    ${json} -d '{"scenario":"realface"}'; echo`
    : "# … the client SDK of Azure AI Vision, with $authToken";
  return `  # 1. your server creates a session for a device
  created=$(curl -s ${stack.url}/face/v1.2/detectLiveness-sessions${key} \\
    ${json} -d '{"livenessOperationMode":"Passive","deviceCorrelationId":"device-1"}')
  sessionId=${field("sessionId")}; authToken=${field("authToken")}; echo $sessionId

  # 2. the device makes its attempt${stack.usesEmulator ? " (played by the emulator)" : ""}
  ${play}

  # 3. your server reads the result, and all outcomes of the device
  curl -s ${stack.url}/face/v1.2/detectLiveness-sessions/$sessionId${key}; echo
  curl -s ${stack.url}/api/devices/device-1/outcomes${key}; echo`;
}

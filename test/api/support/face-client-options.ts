import type createFaceClient from "@azure/ai-vision-face";
import { checkAnswer } from "./described-answers.ts";

type Options = Omit<NonNullable<Parameters<typeof createFaceClient>[2]>, "apiVersion">;

/** Options of an official client that calls the app over plain HTTP. Every answer is checked against the API's description. */
export const faceClientOptions: Options = {
  allowInsecureConnection: true,
  additionalPolicies: [
    {
      position: "perRetry",
      policy: {
        name: "checkAnswer",
        async sendRequest(request, next) {
          const response = await next(request);
          const { status, headers, bodyAsText } = response;
          checkAnswer(request.method, request.url, {
            status,
            headers: new Headers([...headers]),
            text: bodyAsText ?? "",
          });
          return response;
        },
      },
    },
  ],
};

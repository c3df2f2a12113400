import type { Operations } from "../operation.ts";
import { appOperations } from "./app.ts";
import { eventOperations } from "./events.ts";
import { faceOperations } from "./face.ts";
import { outcomeOperations } from "./outcomes.ts";
import { referenceImageOperations } from "./reference-images.ts";
import { sessionOperations } from "./sessions.ts";

/** Bodies, headers and errors of all operations, by the name of their endpoint. */
export const operations: Operations = {
  ...faceOperations,
  ...sessionOperations,
  ...outcomeOperations,
  ...referenceImageOperations,
  ...eventOperations,
  ...appOperations,
};

import { type CodeSource, codeSources, type Guidance } from "../guidance.ts";
import { errorCodes } from "../http/error-codes.ts";
import { decisionReasons } from "./decision-reasons.ts";
import { deviceErrors } from "./device-errors.ts";

export interface GuideEntry extends Guidance {
  code: string;
  source: CodeSource;
}

const tables: Record<CodeSource, Record<string, Guidance>> = {
  app: errorCodes,
  decision: decisionReasons,
  device: deviceErrors,
};

/** The guidance for all codes, by source and code. */
export const errorGuide: readonly GuideEntry[] = codeSources.flatMap((source) =>
  Object.entries(tables[source])
    .map(([code, guidance]) => ({ code, source, ...guidance }))
    .sort((one, other) => (one.code < other.code ? -1 : 1)),
);

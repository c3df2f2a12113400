import type { App } from "../app.ts";
import { compact } from "../compact.ts";
import type { Reply } from "../http/responses.ts";
import type { Caller } from "../liveness/model/caller.ts";
import type { OutcomeEntry } from "../liveness/model/events.ts";
import type { OutcomeQuery } from "../liveness/model/outcome-index.ts";
import { scanOutcomes } from "../liveness/result/outcomes.ts";
import { outcomeFields, outcomeResource } from "./outcome-pages.ts";
import { takeScanSlot } from "./scan-slots.ts";

/** Outcomes in one piece of the stream: about 40 KB, so that even a slow reader takes a piece before its timeout. */
const pieceLength = 100;

type Format = "application/x-ndjson" | "text/csv";

interface Writer {
  contentType: string;
  extension: string;
  /** The text before the first outcome. */
  head: string;
  write(entries: readonly OutcomeEntry[]): string;
}

/**
 * All outcomes of a window as a stream. The first outcomes are read before the response begins, so that an unavailable
 * storage is answered with an error.
 *
 * @param headOnly nothing is read.
 */
export async function exportOutcomes(
  app: App,
  query: OutcomeQuery,
  format: Format,
  { caller, headOnly }: { caller: Caller; headOnly: boolean },
): Promise<Reply> {
  const writer = format === "text/csv" ? await csvWriter() : jsonLinesWriter;
  const asOf = await app.outcomeIndex.completeTo();
  const day = (time: string) => time.slice(0, "yyyy-MM-dd".length);
  const name = `outcomes-${day(query.from)}-${day(query.to)}.${writer.extension}`;
  return {
    status: 200,
    headers: {
      "content-type": writer.contentType,
      "content-disposition": `attachment; filename="${name}"`,
      vary: "accept",
      ...compact({ "x-as-of": asOf }),
    },
    stream: headOnly ? nothing() : await begun(pieces(scanOutcomes(app, query), writer), caller),
  };
}

async function* nothing(): AsyncGenerator<string> {
  // A response to `HEAD` has no body.
}

async function* pieces(lists: AsyncIterable<OutcomeEntry[]>, { head, write }: Writer): AsyncGenerator<string> {
  let before = head;
  for await (const entries of lists) {
    for (let start = 0; start < entries.length; start += pieceLength) {
      yield before + write(entries.slice(start, start + pieceLength));
      before = "";
    }
  }
  if (before !== "") yield before;
}

/** Takes a slot and reads the first value. Returns all values. Throws `ApiError` 503 while too many exports are running. */
async function begun<T>(values: AsyncGenerator<T>, caller: Caller): Promise<AsyncIterable<T>> {
  const releaseSlot = takeScanSlot(caller);
  const first = await values.next().catch((error: unknown) => {
    releaseSlot();
    throw error;
  });
  return (async function* () {
    try {
      if (first.done) return;
      yield first.value;
      yield* values;
    } finally {
      releaseSlot();
      await values.return(undefined);
    }
  })();
}

const jsonLinesWriter: Writer = {
  contentType: "application/x-ndjson; charset=utf-8",
  extension: "ndjson",
  head: "",
  write: (entries) => entries.map((entry) => `${JSON.stringify(outcomeResource(entry))}\n`).join(""),
};

/**
 * RFC 4180 with a header, after a byte order mark, without which spreadsheets read UTF-8 as another encoding. A
 * cell that a spreadsheet would read as a formula begins with an apostrophe, also where its settings separate cells by
 * semicolons or tabs: to it, the quotes around a text then are not at the start of a cell.
 */
async function csvWriter(): Promise<Writer> {
  const { stringify } = await import("csv-stringify/sync");
  // The library quotes cells with the whole delimiter only, but a spreadsheet begins a row after each of its characters.
  const options = { escape_formulas: true, record_delimiter: "windows", quoted_match: /[\r\n]/ };
  const write = (rows: readonly (readonly string[])[]) => stringify([...rows], options);
  return {
    contentType: "text/csv; charset=utf-8; header=present",
    extension: "csv",
    head: `\ufeff${write([outcomeFields])}`,
    write: (entries) => write(entries.map((entry) => outcomeFields.map((name) => cellOf(entry[name])))),
  };
}

function cellOf(value: OutcomeEntry[(typeof outcomeFields)[number]]): string {
  const text = Array.isArray(value) ? value.join(" ") : String(value ?? "");
  return text.replace(/[;\t\r\n](?=[" ]*[=+\-@\uff1d\uff0b\uff0d\uff20])/g, "$&'");
}

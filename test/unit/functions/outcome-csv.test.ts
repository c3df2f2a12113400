import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { plus, send, service } from "../fakes/app.ts";
import { openIndexes, outcome } from "../fakes/outcomes.ts";

/** The export of one outcome, in which each id that a user may choose is this text. */
async function exportOf(text: string): Promise<string> {
  const { world, index } = openIndexes();
  world.advance({ seconds: 1 });
  await index.put([outcome(0, { clientReferenceId: text, userCorrelationId: text, deviceCorrelationId: text })]);
  return (await send(world, "GET", "/api/outcomes", plus(service, { headers: { accept: "text/csv" } }))).text;
}

/** The cells of a line as a spreadsheet reads them that is set to semicolons or tabs: quotes count at the start of a cell only. */
function cellsBy(separator: string, line: string): string[] {
  return line.split(separator).map((cell) => cell.replace(/^"+/, "").trim());
}

describe("an export opened by a spreadsheet whose separator is not the comma", () => {
  for (const cell of [
    "a;=1+1",
    "a;+1",
    "a;-1",
    "a;@SUM(A1)",
    'a;"=1+1"',
    "a; =1+1",
    "a\t=1+1",
    "a\r\n=1+1",
    ";;=1",
    ";=1;=2",
  ]) {
    test(`${JSON.stringify(cell)} -> no cell is a formula`, async () => {
      const text = await exportOf(cell);
      const cells = [";", "\t"].flatMap((separator) =>
        text.split(/[\r\n]/).flatMap((line) => cellsBy(separator, line)),
      );
      assert.deepEqual(
        cells.filter((one) => /^[=+\-@]/.test(one)),
        [],
      );
    });
  }

  test("separators in other texts -> unchanged", async () => {
    const cell = "a;b; c-d;1=1";
    assert.ok((await exportOf(cell)).includes(`,${cell},`));
  });
});

import type { Entity } from "../azure/table.ts";

/** Source of the rows of one partition, ascending by row key, in lists that are not empty. */
export interface RowSource {
  chunks: AsyncGenerator<Entity[]>;
  /** Set when the source ends before all of its rows are read. */
  isCut?: boolean;
}

interface Lane {
  source: RowSource;
  rows: Entity[];
  index: number;
  pending?: Promise<IteratorResult<Entity[]>>;
}

/**
 * Merges the rows of several partitions, ascending by row key. Ends when a source is cut, because its missing rows may
 * precede the next rows of the others. Closes the sources at the end, even if the caller stops iterating.
 *
 * @param readsAhead each source reads its next list while the current one is merged.
 */
export async function* mergeRows(sources: readonly RowSource[], readsAhead: boolean): AsyncGenerator<Entity[]> {
  const lanes = sources.map((source): Lane => ({ source, rows: [], index: 0 }));
  try {
    await Promise.all(lanes.map((lane) => load(lane, readsAhead)));
    if (lanes.some(isCut)) return;
    let active = lanes.filter(hasRows);
    while (active.length > 0) {
      const rows: Entity[] = [];
      const ended = takeUntilOneEnds(active, rows);
      yield rows;
      await load(ended, readsAhead);
      if (isCut(ended)) return;
      active = active.filter(hasRows);
    }
  } finally {
    await Promise.all(sources.map(({ chunks }) => chunks.return(undefined)));
  }
}

async function load(lane: Lane, readsAhead: boolean): Promise<void> {
  const { chunks } = lane.source;
  const { value, done } = await (lane.pending ?? chunks.next());
  lane.rows = done ? [] : value;
  lane.index = 0;
  if (!readsAhead || done) return;
  lane.pending = chunks.next();
  // A failure is reported when the list is needed, and ignored if it is never needed.
  lane.pending.catch(() => undefined);
}

/** Moves rows from the lanes to the result, in order, until a lane has no rows left. Returns that lane. */
function takeUntilOneEnds(lanes: readonly Lane[], result: Entity[]): Lane {
  for (;;) {
    let first: Lane | undefined;
    let key = "";
    let row: Entity | undefined;
    for (const lane of lanes) {
      const head = lane.rows[lane.index];
      if (head !== undefined && (first === undefined || head.rowKey < key)) {
        first = lane;
        row = head;
        key = head.rowKey;
      }
    }
    if (first === undefined || row === undefined) throw new TypeError("There are no rows to merge");
    result.push(row);
    first.index += 1;
    if (!hasRows(first)) return first;
  }
}

const hasRows = ({ rows, index }: Lane) => index < rows.length;
const isCut = (lane: Lane) => !hasRows(lane) && lane.source.isCut === true;

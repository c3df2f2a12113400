/** Returns the first time of a schedule after the given one, undefined where there is none within eight years. */
export interface Schedule {
  next(after: Date): Date | undefined;
}

interface Field {
  name: string;
  lowest: number;
  highest: number;
  names?: readonly string[];
}

const secondField: Field = { name: "second", lowest: 0, highest: 59 };
const fields: readonly Field[] = [
  { name: "minute", lowest: 0, highest: 59 },
  { name: "hour", lowest: 0, highest: 23 },
  { name: "day", lowest: 1, highest: 31 },
  {
    name: "month",
    lowest: 1,
    highest: 12,
    names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  { name: "day of week", lowest: 0, highest: 6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/**
 * Reads an NCRONTAB expression: six fields (second first) or five (on the full minute), in UTC. A field is `*`, a value,
 * a range, each with an optional `/step`, or a list of these. Day and day of week must both match. Throws for anything else.
 */
export function parseSchedule(expression: string): Schedule {
  const parts = expression.trim().split(/\s+/);
  if (parts.length !== 5 && parts.length !== 6) {
    throw new Error(`'${expression}' is not a schedule of five or six fields`);
  }
  const [minuteSet, hourSet, daySet, monthSet, weekdaySet] = fields.map((field, index) =>
    parseField(parts[parts.length - 5 + index] ?? "", field, expression),
  );
  const secondSet = parts.length === 6 ? parseField(parts[0] ?? "", secondField, expression) : new Set([0]);
  const fits = (values: Set<number> | undefined, value: number) => values?.has(value) === true;

  return {
    next: (after) => {
      const time = new Date(after);
      time.setUTCMilliseconds(0);
      time.setUTCSeconds(time.getUTCSeconds() + 1);
      const lastYear = time.getUTCFullYear() + 8;
      while (time.getUTCFullYear() <= lastYear) {
        if (!fits(monthSet, time.getUTCMonth() + 1)) {
          time.setUTCMonth(time.getUTCMonth() + 1, 1);
          time.setUTCHours(0, 0, 0);
        } else if (!fits(daySet, time.getUTCDate()) || !fits(weekdaySet, time.getUTCDay())) {
          time.setUTCDate(time.getUTCDate() + 1);
          time.setUTCHours(0, 0, 0);
        } else if (!fits(hourSet, time.getUTCHours())) {
          time.setUTCHours(time.getUTCHours() + 1, 0, 0);
        } else if (!fits(minuteSet, time.getUTCMinutes())) {
          time.setUTCMinutes(time.getUTCMinutes() + 1, 0);
        } else if (!fits(secondSet, time.getUTCSeconds())) {
          time.setUTCSeconds(time.getUTCSeconds() + 1);
        } else {
          return time;
        }
      }
      return undefined;
    },
  };
}

function parseField(text: string, field: Field, expression: string): Set<number> {
  const values = new Set<number>();
  for (const item of text.split(",")) {
    const match = /^(\*|[^-/*]+(?:-[^-/*]+)?)(?:\/(\d+))?$/.exec(item);
    const [from, to] = (match?.[1] ?? "").split("-");
    const step = Number(match?.[2] ?? 1);
    const wide = from === "*";
    const first = wide ? field.lowest : parseValue(from, field);
    const single = match?.[2] === undefined ? first : field.highest;
    const last = wide ? field.highest : to === undefined ? single : parseValue(to, field);
    if (!match || !(first <= last) || step < 1) {
      throw new Error(`'${item}' is not a ${field.name} in the schedule '${expression}'`);
    }
    for (let value = first; value <= last; value += step) {
      values.add(value);
    }
  }
  return values;
}

/** NaN for anything but a number within the field's limits or one of its names. */
function parseValue(text: string | undefined, field: Field): number {
  const byName = field.names?.indexOf((text ?? "").toLowerCase()) ?? -1;
  if (byName >= 0) {
    return byName + field.lowest;
  }
  const value = /^\d+$/.test(text ?? "") ? Number(text) : Number.NaN;
  return value >= field.lowest && value <= field.highest ? value : Number.NaN;
}

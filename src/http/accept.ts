interface MediaRange {
  type: string;
  /** 0: any type; 1: any subtype; 2: one type. */
  precision: number;
  quality: number;
}

/**
 * The offered media type that the header `Accept` prefers: the first one of those with the highest quality. A more precise
 * range overrides others. Parameters other than `q` are ignored.
 *
 * @param offered in lower case. The first type is the default, and the result if the header accepts none of them.
 */
export function preferredType<T extends string>(accept: string | null, offered: readonly [T, ...T[]]): T {
  const ranges = (accept ?? "*/*").split(",").flatMap((text) => readRange(text) ?? []);
  let best: T = offered[0];
  let bestQuality = 0;
  for (const type of offered) {
    const quality = qualityOf(type, ranges);
    if (quality > bestQuality) {
      best = type;
      bestQuality = quality;
    }
  }
  return best;
}

function readRange(text: string): MediaRange | undefined {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  if (type === "") return undefined;
  const q = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1";
  // A range with an invalid quality is ignored.
  if (!/^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(q)) return undefined;
  const precision = type === "*/*" ? 0 : type.endsWith("/*") ? 1 : 2;
  return { type, precision, quality: Number(q) };
}

function qualityOf(type: string, ranges: readonly MediaRange[]): number {
  let found: MediaRange | undefined;
  for (const range of ranges) {
    const matches = range.precision === 0 || range.type === (range.precision === 1 ? `${type.split("/")[0]}/*` : type);
    if (matches && (found === undefined || range.precision > found.precision)) found = range;
  }
  return found?.quality ?? 0;
}

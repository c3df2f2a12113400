/**
 * Writes a filter in which every value is a quoted string, whatever it holds. The SDK's tag of this name does the same;
 * it is not used, because a filter alone must not load the library.
 */
export function odata(strings: TemplateStringsArray, ...values: string[]): string {
  const quoted = values.map((value) => `'${value.replaceAll("'", "''")}'`);
  return String.raw({ raw: strings }, ...quoted);
}

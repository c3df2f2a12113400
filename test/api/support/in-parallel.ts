/** Calls `work` for each number below `count`, `width` calls at a time. */
export async function inParallel(count: number, width: number, work: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let number = next++; number < count; number = next++) await work(number);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/**
 * The latest values that this process has written, by key; the oldest are evicted. Values may be outdated: callers use them
 * only for conditional writes, or read the row before they rely on it.
 */
export interface WriteCache<T> {
  remember(key: string, value: T): void;
  recall(key: string): T | undefined;
  forget(key: string): void;
}

/** Enough for a minute or two, within which most sessions are settled or tried again. */
const maxValues = 1000;

export function createWriteCache<T>(): WriteCache<T> {
  const cache = new Map<string, T>();
  return {
    remember(key, value) {
      // Deleted first, so that the key becomes the newest one.
      cache.delete(key);
      cache.set(key, value);
      const [oldest] = cache.keys();
      if (cache.size > maxValues && oldest !== undefined) cache.delete(oldest);
    },
    recall: (key) => cache.get(key),
    forget(key) {
      cache.delete(key);
    },
  };
}

/**
 * What this process has written last, by key; beyond so many the oldest goes. In memory only, and never believed without a
 * write by its ETag or a look: what has been changed or erased since is found to be so.
 */
export interface WriteCache<T> {
  remember(key: string, value: T): void;
  recall(key: string): T | undefined;
  forget(key: string): void;
}

/** As many as are used soon: a session is settled, or tried again, within a minute or two. */
const maxKept = 1000;

export function createWriteCache<T>(): WriteCache<T> {
  const cache = new Map<string, T>();
  return {
    remember(key, value) {
      // Newest last.
      cache.delete(key);
      cache.set(key, value);
      const [oldest] = cache.keys();
      if (cache.size > maxKept && oldest !== undefined) cache.delete(oldest);
    },
    recall: (key) => cache.get(key),
    forget(key) {
      cache.delete(key);
    },
  };
}

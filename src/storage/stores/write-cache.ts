/**
 * What this process has written last, by key; beyond so many the oldest goes. In memory only, and never believed without a
 * write by its ETag or a look: what has been changed or erased since is found to be so.
 */
export interface Recent<T> {
  remember(key: string, value: T): void;
  recall(key: string): T | undefined;
  forget(key: string): void;
}

/** As many as are used soon: a session is settled, or tried again, within a minute or two. */
const maxKept = 1000;

export function createRecent<T>(): Recent<T> {
  const recent = new Map<string, T>();
  return {
    remember(key, value) {
      // Newest last.
      recent.delete(key);
      recent.set(key, value);
      const [oldest] = recent.keys();
      if (recent.size > maxKept && oldest !== undefined) recent.delete(oldest);
    },
    recall: (key) => recent.get(key),
    forget(key) {
      recent.delete(key);
    },
  };
}

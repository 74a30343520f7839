const OPERATIONS = ['load', 'store', 'exchange', 'compareExchange', 'and', 'or', 'add', 'sub'] as const;
type Operation = (typeof OPERATIONS)[number];

/**
 * Runs `body` with `action` called once, just before its `at`-th access to shared memory (counted from 0): what another
 * CPU may do at that instant. Whatever `action` does itself is not counted.
 * @returns whether `body` got that far.
 */
export function injectBefore(at: number, action: () => void, body: () => void): boolean {
  const atomics = Atomics as unknown as Record<Operation, (...args: unknown[]) => unknown>;
  const originals = new Map<Operation, (...args: unknown[]) => unknown>();
  let count = 0;
  let done = false;
  let inside = false;
  for (const name of OPERATIONS) {
    const original = atomics[name];
    originals.set(name, original);
    atomics[name] = (...args) => {
      if (!inside && !done && count++ === at) {
        done = true;
        inside = true;
        try {
          action();
        } finally {
          inside = false;
        }
      }
      return original(...args);
    };
  }
  try {
    body();
  } finally {
    for (const [name, original] of originals) atomics[name] = original;
  }
  return done;
}

/** What Node has for domains in threads. A browser loads this package, too, for its other virtual CPUs: undefined there. */
export const node =
  typeof process === 'undefined' || process.versions?.node === undefined
    ? undefined
    : {
        Worker: (await import('node:worker_threads')).Worker,
        existsSync: (await import('node:fs')).existsSync,
        readlinkSync: (await import('node:fs')).readlinkSync,
        fileURLToPath: (await import('node:url')).fileURLToPath,
        spawnSync: (await import('node:child_process')).spawnSync,
      };

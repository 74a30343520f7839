/** What must not outlive this process: namespaces, programs, files. Undone on Ctrl-C and SIGTERM, too. */
const open = new Set<() => void>();
let watching = false;

/** @param undo called once, at the latest when a signal ends the process. @returns undoes it now. */
export function onCleanup(undo: () => void): () => void {
  watch();
  open.add(undo);
  return () => {
    if (open.delete(undo)) undo();
  };
}

/** Undoes everything that is open, the last first. */
export function cleanUp(): void {
  for (const undo of [...open].reverse()) {
    open.delete(undo);
    try {
      undo();
    } catch (error) {
      process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}

function watch(): void {
  if (watching) return;
  watching = true;
  const end = (exitCode: number): void => {
    cleanUp();
    process.exit(exitCode);
  };
  process.on('SIGINT', () => end(130));
  process.on('SIGTERM', () => end(143));
  process.on('SIGHUP', () => end(129));
}

import type { XenstoreClient } from '../xenstore/client.ts';

/**
 * The guest's half of the shutdown handshake: waits for the toolstack to write `control/shutdown`, acknowledges by
 * emptying the node as Linux does, and calls back with the reason.
 * @param onShutdown gets `poweroff`, `reboot`, `halt` or `suspend`.
 */
export function watchShutdown(xenstore: XenstoreClient, onShutdown: (reason: string) => void): void {
  xenstore.watch('control/shutdown', (path) => {
    xenstore.read(path, (error, reason) => {
      if (error !== undefined || reason === '') return;
      xenstore.write(path, '');
      onShutdown(reason);
    });
  });
}

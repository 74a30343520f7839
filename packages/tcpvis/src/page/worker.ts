/** The worker of the page: a session (session.ts), or a reader for one (block-feed.ts). */
import { BlockPump, type FromReader, type ToReader } from './block-feed.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import { Session } from './session.ts';

interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker | ToReader>) => void) | null;
  postMessage(message: FromWorker | FromReader, transfer: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
let session: Session | undefined;
let pump: BlockPump | undefined;
scope.onmessage = ({ data }) => {
  if (data.type === 'read') {
    pump = new BlockPump(data, (message, transfer) => scope.postMessage(message, transfer));
  } else if (data.type === 'recycle') {
    pump?.recycle(data.buffer);
  } else {
    session ??= new Session((message, transfer = []) => scope.postMessage(message, transfer));
    session.receive(data);
  }
};

/** The worker of the page: see session.ts. */
import type { FromWorker, ToWorker } from './protocol.ts';
import { Session } from './session.ts';

interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker, transfer: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
const session = new Session((message, transfer = []) => scope.postMessage(message, transfer));
scope.onmessage = (event) => session.receive(event.data);

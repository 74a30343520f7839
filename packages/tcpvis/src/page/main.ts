/** Starts the page: worker, inputs, and the log that the page came with. */
import { App } from './app.ts';
import { listen } from './input.ts';
import type { FromWorker, LogOrigin } from './protocol.ts';

const worker = startWorker();
const picker = document.createElement('input');
picker.type = 'file';
picker.hidden = true;
const app = new App(
  (message) => worker.postMessage(message),
  () => picker.click(),
);
worker.onmessage = (event: MessageEvent<FromWorker>) => app.receive(event.data);
worker.onerror = (event) => app.receive({ type: 'failed', sentence: `the page's worker failed: ${event.message}` });

const openFile = (file: File): void => app.open({ kind: 'blob', blob: file, name: file.name });
picker.addEventListener('change', () => {
  const file = picker.files?.[0];
  if (file !== undefined) openFile(file);
  picker.value = '';
});
document.body.append(app.element, picker);
listen(app, openFile, () => picker.click());

const origin = ownLog();
if (origin !== undefined) app.open(origin);

/** The worker's code stands in the page, so that it works from a file too. */
function startWorker(): Worker {
  const code = document.getElementById('worker')?.textContent ?? '';
  const url = URL.createObjectURL(new Blob([code.replaceAll('<\\/script', '</script')], { type: 'text/javascript' }));
  return new Worker(url);
}

/** `<script id="log">`: a log in the page itself, or where there is one. */
function ownLog(): LogOrigin | undefined {
  const element = document.getElementById('log');
  if (element === null) return undefined;
  const { name = 'log', url, live } = element.dataset;
  const absolute = (path: string): string => new URL(path, document.baseURI).href;
  if (live !== undefined) return { kind: 'live', url: absolute(live), name };
  if (url !== undefined) return { kind: 'url', url: absolute(url), name };
  const base64 = (element.textContent ?? '').trim();
  element.remove();
  return { kind: 'embedded', base64, name };
}

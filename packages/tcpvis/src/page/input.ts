/** Mouse, touch, wheel, keys and dropped files. */
import type { App } from './app.ts';
import { actionOf } from './keys.ts';

const WHEEL_ZOOM = 0.0018;
const CLICK_PIXELS = 4;

export function listen(app: App, openFile: (file: File) => void, pick: () => void): void {
  const columns = app.element.querySelector('.columns') as HTMLElement;
  columns.addEventListener('wheel', (event) => wheel(app, event), { passive: false });
  columns.addEventListener('pointerdown', (event) => press(app, columns, event));
  columns.addEventListener('pointermove', (event) => {
    if (event.buttons === 0) app.point(shareAt(app, event));
  });
  columns.addEventListener('pointerleave', () => app.point(undefined));
  columns.addEventListener('dblclick', (event) => {
    if (shareAt(app, event) !== undefined) app.act('fit', '0');
  });
  document.addEventListener('keydown', (event) => key(app, event, pick));
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    document.documentElement.classList.toggle('dropping', event.type === 'dragover');
    const file = event.type === 'drop' ? event.dataTransfer?.files[0] : undefined;
    if (file !== undefined) openFile(file);
  };
  for (const type of ['dragover', 'dragleave', 'drop'] as const) document.addEventListener(type, drop);
}

function shareAt(app: App, event: MouseEvent): number | undefined {
  for (const column of app.columns) {
    const share = column.shareAt(event.clientX, event.clientY);
    if (share !== undefined) return share;
  }
  return undefined;
}

function wheel(app: App, event: WheelEvent): void {
  const share = shareAt(app, event);
  if (share === undefined || event.ctrlKey) return;
  event.preventDefault();
  const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
  const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
  if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) app.pan((sideways * unit) / 1200);
  else app.zoom(Math.exp(event.deltaY * unit * WHEEL_ZOOM), share);
}

function press(app: App, columns: HTMLElement, down: PointerEvent): void {
  if (down.button !== 0 || (down.target as Element).closest('button') !== null) return;
  const start = shareAt(app, down);
  const width = app.columns[0]?.plotWidth ?? 0;
  if (start === undefined || width === 0) return;
  down.preventDefault();
  columns.setPointerCapture(down.pointerId);
  const selecting = down.shiftKey;
  let lastX = down.clientX;
  let moved = false;
  const move = (event: PointerEvent): void => {
    moved ||= Math.abs(event.clientX - down.clientX) > CLICK_PIXELS;
    if (!moved) return;
    if (selecting) {
      app.select(start, Math.max(0, Math.min(1, start + (event.clientX - down.clientX) / width)));
      return;
    }
    app.pan((lastX - event.clientX) / width);
    lastX = event.clientX;
  };
  const up = (event: PointerEvent): void => {
    columns.removeEventListener('pointermove', move);
    columns.removeEventListener('pointerup', up);
    columns.removeEventListener('pointercancel', up);
    if (!moved) {
      if (event.type === 'pointerup') app.pin(start);
      return;
    }
    if (!selecting) return;
    app.select(undefined);
    const end = Math.max(0, Math.min(1, start + (event.clientX - down.clientX) / width));
    const { t0, span } = app.time;
    app.show(t0 + Math.min(start, end) * span, t0 + Math.max(start, end) * span);
  };
  columns.addEventListener('pointermove', move);
  columns.addEventListener('pointerup', up);
  columns.addEventListener('pointercancel', up);
}

function key(app: App, event: KeyboardEvent, pick: () => void): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target as HTMLElement;
  if (target.tagName === 'SELECT' || target.tagName === 'INPUT') {
    if (event.key === 'Escape') target.blur();
    return;
  }
  const action = actionOf(event.key);
  if (action === undefined) return;
  event.preventDefault();
  if (action === 'open') pick();
  else app.act(action, event.key, event.shiftKey);
}

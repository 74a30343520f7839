/** The line at the bottom: what is in view, how much there is, and what is wrong with it. */
import { formatDuration, formatInstant, formatNumber } from '../draw/format.ts';
import { make } from './dom.ts';
import type { Summary } from './protocol.ts';
import type { TimeView } from './time-view.ts';

const HINT = 'wheel: zoom · drag: pan · Shift + drag: zoom to · click: hold the cursor · ?: keys';

export class StatusLine {
  readonly element = make('footer', { class: 'status' });

  show(summary: Summary, { t0, t1 }: TimeView): void {
    const { firstUs, lastUs, flows, problems } = summary;
    const from = formatInstant(Math.max(t0, firstUs) - firstUs);
    const to = formatInstant(Math.min(t1, lastUs) - firstUs);
    const rows = `${formatNumber(summary.rows)} ${summary.rows === 1 ? 'row' : 'rows'} in ${flows.length} ${flows.length === 1 ? 'flow' : 'flows'}`;
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    const trouble = `⚠ ${problems[0]}${more}. What was whole is shown.`;
    this.element.replaceChildren(
      make('span', { class: 'range' }, `${from} – ${to}  (${formatDuration(t1 - t0)})`),
      make('span', {}, rows),
      ...(problems.length > 0 ? [make('span', { class: 'problem', title: problems.join('\n') }, trouble)] : []),
      make('span', { class: 'space' }),
      make('span', { class: 'hint' }, HINT),
    );
  }
}

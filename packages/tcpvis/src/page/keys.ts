/** Every key the page knows: one table, for the handler and for the help. */
export type Action =
  | 'left'
  | 'right'
  | 'zoomIn'
  | 'zoomOut'
  | 'fit'
  | 'start'
  | 'end'
  | 'nextMark'
  | 'previousMark'
  | 'nextRow'
  | 'previousRow'
  | 'preset'
  | 'mode'
  | 'flow'
  | 'events'
  | 'lines'
  | 'theme'
  | 'follow'
  | 'open'
  | 'help'
  | 'close';

export interface KeyHelp {
  readonly action: Action;
  /** Values of KeyboardEvent.key. */
  readonly keys: readonly string[];
  readonly label: string;
  readonly text: string;
}

export const KEYS: readonly KeyHelp[] = [
  { action: 'left', keys: ['ArrowLeft', 'a'], label: '← A', text: 'earlier (with Shift: a whole page)' },
  { action: 'right', keys: ['ArrowRight', 'd'], label: '→ D', text: 'later' },
  { action: 'zoomIn', keys: ['ArrowUp', '+', '=', 'w'], label: '↑ + W', text: 'closer, at the cursor' },
  { action: 'zoomOut', keys: ['ArrowDown', '-', 's'], label: '↓ − S', text: 'farther' },
  { action: 'fit', keys: ['0', 'f'], label: '0 F', text: 'everything' },
  { action: 'start', keys: ['Home'], label: 'Home', text: 'to the start' },
  { action: 'end', keys: ['End'], label: 'End', text: 'to the end' },
  { action: 'nextMark', keys: ['n'], label: 'N', text: 'next loss, timeout or undo' },
  { action: 'previousMark', keys: ['p'], label: 'P', text: 'the one before' },
  { action: 'nextRow', keys: ['.', '>'], label: '.', text: 'cursor to the next row' },
  { action: 'previousRow', keys: [',', '<'], label: ',', text: 'cursor to the row before' },
  { action: 'preset', keys: ['1', '2', '3', '4', '5', '6', '7', '8'], label: '1 – 8', text: 'presets' },
  { action: 'mode', keys: ['m'], label: 'M', text: 'one flow, both ends, each, over each other' },
  { action: 'flow', keys: ['c'], label: 'C', text: 'next connection' },
  { action: 'events', keys: ['e'], label: 'E', text: 'table of events' },
  { action: 'lines', keys: ['y'], label: 'Y', text: 'axes as high as every line (RTO, windows), or as the data' },
  { action: 'theme', keys: ['t'], label: 'T', text: 'light or dark' },
  { action: 'follow', keys: ['l'], label: 'L', text: 'follow a live run' },
  { action: 'open', keys: ['o'], label: 'O', text: 'open a file' },
  { action: 'help', keys: ['?'], label: '?', text: 'this list' },
  { action: 'close', keys: ['Escape'], label: 'Esc', text: 'let go of the cursor, close' },
];

/** @returns what a key does, undefined for none. */
export function actionOf(key: string): Action | undefined {
  const wanted = key.length === 1 ? key.toLowerCase() : key;
  return KEYS.find(({ keys }) => keys.includes(wanted))?.action;
}

/** Colours. */
import type { SeriesId } from '../view/panel-data.ts';

export type ThemeName = 'light' | 'dark';

export interface Theme {
  readonly name: ThemeName;
  readonly page: string;
  /** Behind the plots. */
  readonly plot: string;
  readonly grid: string;
  readonly axis: string;
  readonly text: string;
  readonly faint: string;
  readonly series: Readonly<Record<SeriesId, string>>;
  /** By the kind of a bar: REASON_* and KIND_OUT_OF_ORDER. */
  readonly again: Readonly<Record<number, string>>;
  readonly limited: readonly string[];
  readonly sleep: readonly string[];
  /** By congestion state; '' leaves the ground as it is. */
  readonly congestion: readonly string[];
  readonly markCongestion: string;
  readonly markTimeout: string;
  readonly markUndo: string;
  readonly markDrop: string;
  /** Flows that lie over each other. */
  readonly flows: readonly string[];
}

const LIGHT: Theme = {
  name: 'light',
  page: '#f6f7f9',
  plot: '#ffffff',
  grid: '#e9ecf1',
  axis: '#c3c9d4',
  text: '#1d2433',
  faint: '#667085',
  series: {
    data: '#2b6cd4',
    ack: '#15924b',
    edge: '#c98a00',
    sack: '#9b4de0',
    pipe: '#2b6cd4',
    cwnd: '#d6336c',
    ssthresh: '#8a94a6',
    rwnd: '#c98a00',
    ownWindow: '#15924b',
    rtt: '#7aa6e8',
    srtt: '#2b6cd4',
    rto: '#d9480f',
    minRtt: '#15924b',
    throughput: '#8a94a6',
    goodput: '#15924b',
    txDelay: '#2b6cd4',
    rxDelay: '#15924b',
    txRing: '#2b6cd4',
    rxRing: '#15924b',
    queue: '#9b4de0',
  },
  again: {
    1: '#e03131',
    2: '#a80d6b',
    3: '#f08c00',
    4: '#d6569a',
    5: '#a80d6b',
    6: '#667085',
    7: '#0b7285',
    15: '#e03131',
    16: '#e8590c',
  },
  limited: ['#e4e7ec', '#74b0f4', '#efb93f', '#4d6fd6', '#a57be8', '#e5484d', '#35b3a2'],
  sleep: ['#dfe4ec', '#2b8a57', '#e0a030', '#6f93c9'],
  congestion: ['', '#f3d27a', '#b9a4f0', '#f28b82', '#c2185b'],
  markCongestion: '#e03131',
  markTimeout: '#a80d6b',
  markUndo: '#0b7285',
  markDrop: '#e03131',
  flows: ['#2b6cd4', '#d6336c', '#15924b', '#c98a00', '#9b4de0', '#0b7285', '#d9480f', '#667085'],
};

const DARK: Theme = {
  name: 'dark',
  page: '#11151c',
  plot: '#171c25',
  grid: '#252c38',
  axis: '#3d4757',
  text: '#e6eaf2',
  faint: '#93a0b4',
  series: {
    data: '#6ea8ff',
    ack: '#4fd18b',
    edge: '#f2bf4a',
    sack: '#c794ff',
    pipe: '#6ea8ff',
    cwnd: '#ff7aa8',
    ssthresh: '#8b97aa',
    rwnd: '#f2bf4a',
    ownWindow: '#4fd18b',
    rtt: '#4a6fa8',
    srtt: '#6ea8ff',
    rto: '#ff9460',
    minRtt: '#4fd18b',
    throughput: '#8b97aa',
    goodput: '#4fd18b',
    txDelay: '#6ea8ff',
    rxDelay: '#4fd18b',
    txRing: '#6ea8ff',
    rxRing: '#4fd18b',
    queue: '#c794ff',
  },
  again: {
    1: '#ff6b6b',
    2: '#ff5fc0',
    3: '#ffb347',
    4: '#ff9bd2',
    5: '#ff5fc0',
    6: '#93a0b4',
    7: '#4dd0e1',
    15: '#ff6b6b',
    16: '#ff9460',
  },
  limited: ['#2a3240', '#4f93df', '#e0a83a', '#5b7cf0', '#9f78e6', '#f0595e', '#35b3a2'],
  sleep: ['#2a3240', '#3fae75', '#e0a83a', '#5f86c4'],
  congestion: ['', '#a8842b', '#7058b8', '#b8433c', '#b01858'],
  markCongestion: '#ff6b6b',
  markTimeout: '#ff5fc0',
  markUndo: '#4dd0e1',
  markDrop: '#ff6b6b',
  flows: ['#6ea8ff', '#ff7aa8', '#4fd18b', '#f2bf4a', '#c794ff', '#4dd0e1', '#ff9460', '#93a0b4'],
};

export const THEMES: Readonly<Record<ThemeName, Theme>> = { light: LIGHT, dark: DARK };

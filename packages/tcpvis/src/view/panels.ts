/** Which pictures there are, and which of them together make a preset. */

export type PanelKind =
  | 'sequence'
  | 'window'
  | 'rtt'
  | 'throughput'
  | 'delay'
  | 'limited'
  | 'rings'
  | 'queue'
  | 'sleep';

export type Unit = 'position' | 'bytes' | 'us' | 'bits/s' | 'slots' | 'packets' | 'share';

export interface PanelKindInfo {
  readonly title: string;
  readonly unit: Unit;
  /** Share of the height. */
  readonly weight: number;
  /** Whether it is a band: states instead of values. */
  readonly band: boolean;
}

export const PANEL_KINDS: Readonly<Record<PanelKind, PanelKindInfo>> = {
  sequence: { title: 'Time and sequence', unit: 'position', weight: 3, band: false },
  window: { title: 'In flight and windows', unit: 'bytes', weight: 1.7, band: false },
  rtt: { title: 'Round-trip time', unit: 'us', weight: 1.4, band: false },
  throughput: { title: 'Throughput', unit: 'bits/s', weight: 1.2, band: false },
  delay: { title: 'Delay in lower layers', unit: 'us', weight: 1.2, band: false },
  limited: { title: 'Limited by', unit: 'share', weight: 0.35, band: true },
  rings: { title: 'Ring occupancy', unit: 'slots', weight: 1, band: false },
  queue: { title: 'Bridge queue', unit: 'packets', weight: 1, band: false },
  sleep: { title: 'Sleep and wake', unit: 'share', weight: 0.35, band: true },
};

/** Which end of a connection a preset looks at. */
export type Side = 'sender' | 'receiver';

export interface PresetPanel {
  readonly kind: PanelKind;
  readonly side: Side;
}

export interface Preset {
  readonly title: string;
  readonly panels: readonly PresetPanel[];
}

const of = (side: Side, ...kinds: PanelKind[]): PresetPanel[] => kinds.map((kind) => ({ kind, side }));

const ALL: readonly PanelKind[] = [
  'sequence',
  'window',
  'rtt',
  'throughput',
  'delay',
  'limited',
  'rings',
  'queue',
  'sleep',
];

/** By the name that `--preset` takes. The five in the middle are the plots of the 2013 tool. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  all: { title: 'Everything', panels: of('sender', ...ALL) },
  'sender-tx-rx': { title: 'Sender: TX and RX', panels: of('sender', 'sequence') },
  'tx-delay': { title: 'Sender: TX delay', panels: of('sender', 'delay') },
  'congestion-window': { title: 'Sender: congestion window', panels: of('sender', 'window') },
  'receiver-rx-tx': { title: 'Receiver: RX and TX', panels: of('receiver', 'sequence') },
  'receiver-tx-delay': { title: 'Receiver: TX delay', panels: of('receiver', 'delay') },
  recovery: { title: 'Loss and recovery', panels: of('sender', 'sequence', 'window', 'rtt', 'limited') },
  stalls: { title: 'Stalls', panels: of('sender', 'sequence', 'limited', 'rings', 'queue', 'sleep') },
};

/** A panel of a picture. */
export interface PanelSpec {
  readonly kind: PanelKind;
  /** Indices of the flows; more than one lie over each other. */
  readonly flows: readonly number[];
  /** Whose data: 0 what the flow's end sends, 1 what it receives. */
  readonly direction: 0 | 1;
}

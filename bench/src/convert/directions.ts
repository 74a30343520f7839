import { formatByName, type Trace } from '@qanat/flowlog';

/** From one format into another. */
export interface Direction {
  readonly from: string;
  readonly to: string;
}

/** Tables whose rows make most of a file: what else is told (events in comments of pcapng, say) does not count. */
const TABLES: Readonly<Record<string, readonly ('segments' | 'windows' | 'events')[]>> = {
  qflow: ['segments', 'windows', 'events'],
  jsonl: ['segments', 'windows', 'events'],
  2013: ['segments', 'windows'],
  pcapng: ['segments'],
  pcap: ['segments'],
  csv: ['segments', 'windows'],
  xplot: ['segments'],
  qlog: ['segments', 'windows'],
  sqlog: ['segments', 'windows'],
  ss: ['segments', 'windows'],
};

/** The log into every format that is written, and out of every one that is read. */
export const DIRECTIONS: readonly Direction[] = [
  ...Object.keys(TABLES)
    .filter((name) => formatByName(name)?.write !== undefined)
    .map((to) => ({ from: 'qflow', to })),
  ...Object.keys(TABLES)
    .filter((name) => name !== 'qflow' && formatByName(name)?.read !== undefined)
    .map((from) => ({ from, to: 'qflow' })),
];

/** @returns rows of a trace that a conversion handles: those of tables that both formats know. */
export function rowsConverted({ flows }: Trace, { from, to }: Direction): number {
  const tables = TABLES[to]!.filter((table) => TABLES[from]!.includes(table));
  return flows.reduce((sum, flow) => tables.reduce((subtotal, table) => subtotal + flow[table].rows, sum), 0);
}

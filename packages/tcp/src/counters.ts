import type { Connection } from './connection.ts';
import type { TcpStats } from './stats.ts';

/** Counters of one connection, with the names of Linux's MIB. */
export type TcpCounters = Readonly<Partial<Record<keyof TcpStats, number>>>;

/** Counts a rare event, for the layer and for the connection it befell. */
export function count(c: Connection, name: keyof TcpStats): void {
  c.tcp.stats[name]++;
  c.counters ??= {};
  c.counters[name] = (c.counters[name] ?? 0) + 1;
}

/** @returns what befell a connection: the counters that are not zero. */
export function countersOf(c: Connection): TcpCounters {
  const { segsIn, segsOut, totalRetrans } = c;
  return {
    ...(segsIn > 0 && { InSegs: segsIn }),
    ...(segsOut > 0 && { OutSegs: segsOut }),
    ...(totalRetrans > 0 && { RetransSegs: totalRetrans }),
    ...c.counters,
  };
}

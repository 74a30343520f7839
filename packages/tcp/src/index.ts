export { auditConnection } from './audit.ts';
export {
  CONGESTION_NAMES,
  type CongestionName,
  DEFAULT_TCP_CONFIG,
  MAX_BUFFER_BYTES,
  type TcpConfig,
  tcpConfig,
} from './config.ts';
export type { CongestionControl, CongestionState } from './congestion-control.ts';
export type { Connection } from './connection.ts';
export type { SleepOptions } from './connection-table.ts';
export type { ConnectionUser } from './context.ts';
export { countersOf, type TcpCounters } from './counters.ts';
export type { FastOpenKey } from './fast-open-server.ts';
export { type TcpInfo, tcpInfo } from './info.ts';
export type { TcpLayerOptions } from './layer-options.ts';
export type { Listener, OnConnection } from './listener.ts';
export type { TcpLending, TcpNetwork, TcpPath } from './network.ts';
export * from './observer.ts';
export { addObserver, removeObserver } from './observers.ts';
export { reportedMtu } from './path-mtu.ts';
export {
  STOP_BUDGET,
  STOP_CWND,
  STOP_DEVICE,
  STOP_EMPTY,
  STOP_PACED,
  STOP_SMALL,
  STOP_WINDOW,
} from './send-policy.ts';
export { seqDiff, seqGeq, seqGt, seqLeq, seqLt } from './seq.ts';
export { formatSs, SS_HEADER, SS_WORDS, type SsInfo, type SsSink, ssInfo, writeSs } from './ss.ts';
export { StampClock } from './stamp-clock.ts';
export * from './state.ts';
export { TcpStats } from './stats.ts';
export { Tcp } from './tcp.ts';
export * as user from './user.ts';
export * from './wire.ts';

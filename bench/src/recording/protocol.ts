import type { TraceMessage } from '@qanat/flowlog';

export const SERVER_IP = '192.168.8.101';
export const CLIENT_IP = '192.168.8.102';
export const PORT = 5001;

/**
 * What is switched on and off. `nothing`: all is as in the others, and no recording begins, which shows how far the halves
 * of a run differ by chance. `memory`: the sender's flow, in a ring. `file`: both ends, their domains and Dom0, streamed.
 */
export type What = 'nothing' | 'memory' | 'file';

/** `gso`: the defaults between domains. `plain`: MTU 1500, every checksum in software, no GRO. */
export type Mode = 'gso' | 'plain';

export interface RecordingArgs {
  readonly what: What;
  readonly mode: Mode;
}

/** To the domains: `switch` recording, `count` the bytes that have arrived so far, or end. */
export type HostPost =
  | { readonly type: 'go' }
  | { readonly type: 'switch'; readonly on: boolean }
  | { readonly type: 'count' }
  | { readonly type: 'exit' };

/** From the domains. */
export type DomainPost =
  | { readonly type: 'ready' }
  | { readonly type: 'counted'; readonly nowUs: number; readonly bytes: number }
  | { readonly type: 'trace'; readonly trace: TraceMessage }
  /** `records` that the ring in memory got. */
  | { readonly type: 'ended'; readonly records: number };

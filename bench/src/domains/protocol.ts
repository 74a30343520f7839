import type { Figures } from '../case.ts';

export const SERVER_IP = '192.168.8.101';
export const CLIENT_IP = '192.168.8.102';
export const FIRST_PORT = 20_000;

export type Mode = 'ping-pong' | 'connections';

/** What both images get. */
export interface DomainArgs {
  readonly mode: Mode;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Ports that the server listens on: a client has a limited number of its own for each. */
  readonly ports: number;
}

/** What they post: the server when it listens, the client when it has measured. */
export type DomainPost = { readonly type: 'ready' } | { readonly type: 'figures'; readonly figures: Figures };

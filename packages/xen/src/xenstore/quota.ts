/** What one domain may take up in xenstored; Dom0 is not bound by them. Defaults are those of Xen's xenstored. */
export interface XenstoreQuotas {
  /** Nodes that a domain owns. */
  readonly nodes: number;
  /** Watches that it has registered. */
  readonly watches: number;
  /** Transactions that it has open. */
  readonly transactions: number;
  /** Bytes of a node: value, permissions and names of children. */
  readonly nodeBytes: number;
  /** Nodes that one transaction may look at or change. */
  readonly transactionNodes: number;
  /** Entries of a node's permissions. */
  readonly permsPerNode: number;
  /** Events of one watch that wait for room in the ring; beyond, they become one event for the watched path. */
  readonly eventsPerWatch: number;
}

export const DEFAULT_QUOTAS: XenstoreQuotas = {
  nodes: 1000,
  watches: 128,
  transactions: 10,
  nodeBytes: 2048,
  transactionNodes: 1024,
  permsPerNode: 5,
  eventsPerWatch: 16,
};

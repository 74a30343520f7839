export {
  type Watch,
  type XenstoreCallback,
  XenstoreClient,
  type XenstoreClientOptions,
  type XenstoreDone,
  type XenstoreTransport,
} from './client.ts';
export type { ConnectionOptions } from './connection.ts';
export { XenstoreError } from './error.ts';
export type { Perms, XenstoreAccess, XenstorePerm } from './perms.ts';
export { DEFAULT_QUOTAS, type XenstoreQuotas } from './quota.ts';
export { type TransactionBody, XenstoreTransaction } from './transaction.ts';
export type { XenstoreErrorCode } from './wire.ts';
export { type ServedConnection, type ToolstackLink, Xenstored, type XenstoredHost } from './xenstored.ts';

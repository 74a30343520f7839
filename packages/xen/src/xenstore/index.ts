export {
  type Watch,
  type XenstoreCallback,
  XenstoreClient,
  type XenstoreClientOptions,
  type XenstoreDone,
  type XenstoreTransport,
} from './client.ts';
export type { Perms, XenstoreAccess, XenstorePerm } from './client-text.ts';
export { XenstoreError } from './error.ts';
export { type TransactionBody, XenstoreTransaction } from './transaction.ts';
export type { XenstoreErrorCode } from './wire.ts';

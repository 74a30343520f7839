import type { XenstoreErrorCode } from './wire.ts';

/** A xenstore request that failed: `code` is what xenstored answered (ENOENT, EACCES, EAGAIN, ...). */
export class XenstoreError extends Error {
  override readonly name = 'XenstoreError';
  readonly code: XenstoreErrorCode;
  /** What was asked for: `read`, `write`, `transaction`, ... */
  readonly operation: string;
  readonly path: string;

  constructor(code: XenstoreErrorCode, operation: string, path: string) {
    super(`xenstore ${operation}${path === '' ? '' : ` ${path}`}: ${code}`);
    this.code = code;
    this.operation = operation;
    this.path = path;
  }
}

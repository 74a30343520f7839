import {
  latin1OfBytes,
  XS_DIRECTORY,
  XS_GET_DOMAIN_PATH,
  XS_GET_PERMS,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_READ,
  XS_RELEASE,
  XS_RM,
  XS_SET_PERMS,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WRITE,
} from './wire.ts';

const OPERATION_NAMES = new Map<number, string>([
  [XS_DIRECTORY, 'directory'],
  [XS_READ, 'read'],
  [XS_GET_PERMS, 'getPerms'],
  [XS_WATCH, 'watch'],
  [XS_UNWATCH, 'unwatch'],
  [XS_TRANSACTION_START, 'transaction'],
  [XS_TRANSACTION_END, 'transaction'],
  [XS_INTRODUCE, 'introduce'],
  [XS_RELEASE, 'releaseDomain'],
  [XS_GET_DOMAIN_PATH, 'getDomainPath'],
  [XS_WRITE, 'write'],
  [XS_MKDIR, 'mkdir'],
  [XS_RM, 'rm'],
  [XS_SET_PERMS, 'setPerms'],
  [XS_IS_DOMAIN_INTRODUCED, 'isDomainIntroduced'],
]);

/** What a request is called in errors. */
export function operationName(type: number): string {
  return OPERATION_NAMES.get(type) ?? 'request';
}

/** Whether a request's first string is something else than a path. */
export function namesNoPath(type: number): boolean {
  return (
    type === XS_TRANSACTION_START ||
    type === XS_TRANSACTION_END ||
    type === XS_INTRODUCE ||
    type === XS_RELEASE ||
    type === XS_GET_DOMAIN_PATH ||
    type === XS_IS_DOMAIN_INTRODUCED
  );
}

/** The NUL-terminated strings of an answer. */
export function splitNames(payload: Uint8Array): string[] {
  const names = latin1OfBytes(payload).split('\0');
  names.pop();
  return names;
}

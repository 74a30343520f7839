/** What a domain may do with a node: nothing, read, write, both (`n r w b` on the wire). */
export type XenstoreAccess = 'n' | 'r' | 'w' | 'b';

/** One entry of a node's permissions. */
export interface XenstorePerm {
  readonly access: XenstoreAccess;
  readonly domid: number;
}

/** First the owner (who may do everything) with the access of everybody who is not listed; then the listed ones. */
export type Perms = readonly XenstorePerm[];

/** @returns the permissions, or undefined if an entry is not `[nrwb]DOMID`. */
export function parsePerms(texts: readonly string[]): Perms | undefined {
  const perms: XenstorePerm[] = [];
  for (const text of texts) {
    const match = /^([nrwb])(\d{1,5})$/.exec(text);
    const domid = Number(match?.[2]);
    if (match === null || !(domid <= 0xffff)) return undefined;
    perms.push({ access: match[1] as XenstoreAccess, domid });
  }
  return perms;
}

/** @returns as GET_PERMS answers: `n0\0r1\0`. */
export function formatPerms(perms: Perms): string {
  return perms.map(({ access, domid }) => `${access}${domid}\0`).join('');
}

import type { Perms } from './perms.ts';

/** Who asks. Dom0 may do everything. */
export interface Caller {
  readonly domid: number;
  readonly privileged: boolean;
}

/** Nobody but the owner and Dom0. */
export const DOM0_ONLY: Perms = [{ access: 'n', domid: 0 }];

/** @returns whether `caller` may read a node with these permissions. */
export function mayRead(perms: Perms, caller: Caller): boolean {
  const access = accessOf(perms, caller);
  return access === 'r' || access === 'b';
}

/** @returns whether `caller` may write it. */
export function mayWrite(perms: Perms, caller: Caller): boolean {
  const access = accessOf(perms, caller);
  return access === 'w' || access === 'b';
}

/** @returns whether `caller` may change its permissions. */
export function isOwner(perms: Perms, caller: Caller): boolean {
  return caller.privileged || perms[0]?.domid === caller.domid;
}

/** @returns the permissions of a node that `caller` makes below one with `perms`: inherited, but its maker's own. */
export function inheritedPerms(perms: Perms, caller: Caller): Perms {
  const owner = perms[0];
  if (caller.privileged || owner === undefined || owner.domid === caller.domid) return perms;
  return [{ access: owner.access, domid: caller.domid }, ...perms.slice(1)];
}

/** @returns the same without the entries of a domain that is gone; undefined when it was the owner. */
export function permsWithout(perms: Perms, domid: number): Perms | undefined {
  if (perms[0]?.domid === domid) return undefined;
  return perms.some((perm) => perm.domid === domid) ? perms.filter((perm) => perm.domid !== domid) : perms;
}

function accessOf(perms: Perms, { domid, privileged }: Caller): string {
  const owner = perms[0];
  if (privileged || owner?.domid === domid) return 'b';
  for (let i = 1; i < perms.length; i++) if (perms[i]!.domid === domid) return perms[i]!.access;
  return owner?.access ?? 'n';
}

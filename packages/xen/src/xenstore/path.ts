import { XENSTORE_ABS_PATH_MAX, XENSTORE_REL_PATH_MAX } from './wire.ts';

/** The path that a watch for domains that come has. */
export const INTRODUCE_DOMAIN = '@introduceDomain';
/** The path that a watch for domains that go has. */
export const RELEASE_DOMAIN = '@releaseDomain';

/** @returns `/local/domain/N`, what a domain's relative paths start from. */
export function domainPath(domid: number): string {
  return `/local/domain/${domid}`;
}

/**
 * Makes a path that a client sent absolute (docs/misc/xenstore.txt, "Permissible values for paths").
 * @returns undefined for a path that no node can have.
 */
export function resolvePath(text: string, domid: number): string | undefined {
  if (text === '/') return text;
  const relative = !text.startsWith('/');
  if (text.length === 0 || text.length > (relative ? XENSTORE_REL_PATH_MAX : XENSTORE_ABS_PATH_MAX)) return undefined;
  if (!/^[-A-Za-z0-9/_@]+$/.test(text) || text.startsWith('@') || text.endsWith('/') || text.includes('//')) {
    return undefined;
  }
  const path = relative ? `${domainPath(domid)}/${text}` : text;
  return path.length > XENSTORE_ABS_PATH_MAX ? undefined : path;
}

/** @returns the names on the way to an absolute path; none for `/`. */
export function splitPath(path: string): string[] {
  return path === '/' ? [] : path.slice(1).split('/');
}

/** @returns the path of a node's child. */
export function childPath(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

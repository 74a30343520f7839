/**
 * Hooks for modules (`module.register`): what is imported with `?stripped` gets a graph of modules of its own, without the branches that
 * look for an observer; with `?again` a graph of its own that is as it was.
 */
import type { LoadHook, ResolveHook } from 'node:module';

export const resolve: ResolveHook = async (specifier, context, next) => {
  const resolved = await next(specifier, context);
  const query = /\?(?:stripped|again)$/.exec(context.parentURL ?? '')?.[0];
  const isOurs = resolved.url.startsWith('file:') && !resolved.url.includes('/node_modules/');
  return query === undefined || !isOurs || resolved.url.includes('?')
    ? resolved
    : { ...resolved, url: resolved.url + query };
};

export const load: LoadHook = async (url, context, next) => {
  const loaded = await next(url, context);
  if (!url.endsWith('?stripped') || loaded.source === undefined) return loaded;
  return { ...loaded, source: stripped(String(loaded.source), url) };
};

/** @throws Error when a branch is left. */
function stripped(source: string, url: string): string {
  // Who sets observers asks for them, too.
  if (url.includes('/tcp/dist/observers.js')) return source;
  const without = source
    .replace(/[\w.#]*\bobserver !== undefined/g, 'false')
    .replace(/[\w.#]*\bobserver === undefined/g, 'true');
  if (/\bobserver\s*[!=]=|\bobserver\s*\?/.test(without))
    throw new Error(`${url}: looks for an observer in another way`);
  return without;
}

/** Puts the page together: one HTML document with everything in it. */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { BuildOptions } from 'esbuild';
import { STYLE } from './page/style.ts';

/** The log that a page comes with. */
export type PageLog =
  /** In the document. */
  | { readonly kind: 'embedded'; readonly name: string; readonly bytes: Uint8Array }
  /** At an address relative to the document. */
  | { readonly kind: 'url'; readonly name: string; readonly url: string }
  /** A stream of chunks at such an address. */
  | { readonly kind: 'live'; readonly name: string; readonly url: string };

let scripts: Promise<{ readonly main: string; readonly worker: string }> | undefined;

/** @returns the document. @param log what it shows when it is opened; without one it asks for a file. */
export async function pageHtml(log?: PageLog): Promise<string> {
  scripts ??= bundle();
  const { main, worker } = await scripts;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeText(log === undefined ? 'Qanat' : `${log.name} · Qanat`)}</title>`,
    // No request for an icon.
    '<link rel="icon" href="data:,">',
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    `<script type="text/plain" id="worker">${inScript(worker)}</script>`,
    ...(log === undefined ? [] : [logElement(log)]),
    `<script>${inScript(main)}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function logElement(log: PageLog): string {
  const name = `data-name="${escapeText(log.name)}"`;
  if (log.kind === 'url')
    return `<script type="text/plain" id="log" ${name} data-url="${escapeText(log.url)}"></script>`;
  if (log.kind === 'live')
    return `<script type="text/plain" id="log" ${name} data-live="${escapeText(log.url)}"></script>`;
  const base64 = gzipSync(log.bytes).toString('base64');
  return `<script type="text/plain" id="log" ${name}>${base64}</script>`;
}

/** The sources where tests run on them, else what tsc made of them. */
async function bundle(): Promise<{ main: string; worker: string }> {
  // Loaded here, so that commands without a page do not wait for it.
  // Node 20 finds no package behind links when the last thing that was looked at is a pipe, as /dev/stdin can be.
  statSync(fileURLToPath(import.meta.url));
  const { build } = await import('esbuild');
  const isSource = import.meta.url.endsWith('.ts');
  const suffix = isSource ? 'ts' : 'js';
  const options = (name: string): BuildOptions & { write: false } => ({
    entryPoints: [fileURLToPath(new URL(`./page/${name}.${suffix}`, import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: ['chrome110', 'firefox113', 'safari16.4'],
    legalComments: 'none',
    logLevel: 'silent',
    ...(isSource ? { conditions: ['@qanat/source'] } : {}),
  });
  const [main, worker] = await Promise.all([build(options('main')), build(options('worker'))]);
  return { main: main.outputFiles[0]!.text, worker: worker.outputFiles[0]!.text };
}

/** Code must not end the element that it stands in. */
function inScript(code: string): string {
  return code.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

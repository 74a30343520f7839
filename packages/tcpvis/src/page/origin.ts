import { type ByteSource, bytesInMemory, bytesOfBlob, bytesOfUrl } from '../view/bytes.ts';
import { feedOf } from './block-feed.ts';
import type { LogOrigin } from './protocol.ts';

/** @returns the bytes of a log. @throws Error with a sentence for people. */
export async function originBytes(origin: Exclude<LogOrigin, { kind: 'live' }>): Promise<ByteSource> {
  if (origin.kind === 'blob') {
    const { blob } = origin;
    return { ...bytesOfBlob(blob), feed: () => feedOf({ blob }, blob.size) };
  }
  if (origin.kind === 'url') {
    const { url } = origin;
    const source = await bytesOfUrl(url);
    return { ...source, feed: () => feedOf({ url }, source.size) };
  }
  try {
    const text = atob(origin.base64);
    const zipped = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) zipped[at] = text.charCodeAt(at);
    const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream('gzip'));
    return bytesInMemory(new Uint8Array(await new Response(stream).arrayBuffer()));
  } catch {
    throw new Error(`the log ${origin.name} in this page is damaged`);
  }
}

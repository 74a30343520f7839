/** The pcap file format (draft-ietf-opsawg-pcap): microseconds and nanoseconds, both byte orders. */
import { type Capture, epochOf, FrameTable } from './frame-table.ts';

const HEADER_BYTES = 24;
const RECORD_BYTES = 16;
const MICROSECONDS = 0xa1b2_c3d4;
const NANOSECONDS = 0xa1b2_3c4d;
/** As Linux's libpcap with Kuznetsov's patch wrote it: records have 8 bytes more. */
const MODIFIED = 0xa1b2_cd34;
const MODIFIED_RECORD_BYTES = 24;
/** No packet is larger, whatever the header of the file says (libpcap's MAXIMUM_SNAPLEN). */
const MAX_PACKET_BYTES = 262_144;
/** Of a record that is looked for after damage: at least an IPv4 header, */
const MIN_PACKET_BYTES = 20;
/** and at most so far from the stamp before it. */
const MAX_GAP_S = 86_400;

export function isPcap(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [MICROSECONDS, NANOSECONDS, MODIFIED].some(
    (magic) => view.getUint32(0, true) === magic || view.getUint32(0, false) === magic,
  );
}

/** Never throws: what is damaged is skipped and told. */
export function readPcapFrames(bytes: Uint8Array): Capture {
  const frames = new FrameTable();
  const problems: string[] = [];
  const noClock = { unixEpochUs: undefined, resolutionUs: 1 };
  if (!isPcap(bytes)) return { frames, clock: noClock, problems: ['this is no pcap file'] };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = ![MICROSECONDS, NANOSECONDS, MODIFIED].includes(view.getUint32(0, false));
  const magic = view.getUint32(0, little);
  if (bytes.length < HEADER_BYTES) return { frames, clock: noClock, problems: ['the file ends in its header'] };
  const perUs = magic === NANOSECONDS ? 1000 : 1;
  const recordBytes = magic === MODIFIED ? MODIFIED_RECORD_BYTES : RECORD_BYTES;
  const linkType = view.getUint32(20, little) & 0xffff;
  const fractions = perUs * 1_000_000;
  let epochUs = 0;
  let lastSeconds = -1;
  let lost = 0;
  let gaps = 0;

  /** Whether a record may begin at `at`; after damage its stamp must fit those before, too. */
  const fits = (at: number, looking: boolean): boolean => {
    if (at + recordBytes > bytes.length) return false;
    const captured = view.getUint32(at + 8, little);
    if (captured > MAX_PACKET_BYTES || at + recordBytes + captured > bytes.length) return false;
    if (!looking) return true;
    const seconds = view.getUint32(at, little);
    const near = lastSeconds < 0 || Math.abs(seconds - lastSeconds) <= MAX_GAP_S;
    const original = view.getUint32(at + 12, little);
    return (
      near &&
      view.getUint32(at + 4, little) < fractions &&
      captured >= MIN_PACKET_BYTES &&
      original >= captured &&
      original < 2 ** 24
    );
  };

  for (let at = HEADER_BYTES; at < bytes.length; ) {
    if (!fits(at, false)) {
      const from = at;
      at = resume(at + 1, bytes.length, (next) => {
        if (!fits(next, true)) return false;
        const after = next + recordBytes + view.getUint32(next + 8, little);
        return after === bytes.length ? lastSeconds >= 0 : fits(after, true);
      });
      lost += at - from;
      gaps++;
      continue;
    }
    const seconds = view.getUint32(at, little);
    const fraction = view.getUint32(at + 4, little);
    if (frames.rows === 0) epochUs = epochOf(seconds * 1_000_000 + fraction / perUs);
    const captured = view.getUint32(at + 8, little);
    const original = Math.max(captured, view.getUint32(at + 12, little));
    // The fraction last, so that nanoseconds are rounded once.
    const timeUs = ((seconds * 1_000_000 - epochUs) * perUs + fraction) / perUs;
    frames.push(timeUs, at + recordBytes, captured, original, linkType, 0);
    lastSeconds = seconds;
    at += recordBytes + captured;
  }
  if (lost > 0)
    problems.push(`${lost} bytes are no packets (torn or damaged at ${gaps} ${gaps === 1 ? 'place' : 'places'})`);
  return { frames, clock: { unixEpochUs: epochUs === 0 ? undefined : epochUs, resolutionUs: 1 / perUs }, problems };
}

/** @returns the first place from `at` on that `fits`, `end` when there is none. */
function resume(at: number, end: number, fits: (at: number) => boolean): number {
  while (at < end && !fits(at)) at++;
  return at;
}

/** All formats of a trace: by name, by file name, by content. */
import { readTrace } from '../qflow-reader.ts';
import { writeTrace } from '../qflow-writer.ts';
import type { Trace } from '../trace.ts';
import { readPcap, readPcapng } from './capture.ts';
import { type Format, flowsToWrite, type WriteOptions } from './format.ts';
import { readJsonl } from './jsonl-read.ts';
import { writeJsonl } from './jsonl-write.ts';
import { isPcap } from './pcap-read.ts';
import { isPcapng } from './pcapng-read.ts';
import { writePcapng } from './pcapng-write.ts';
import { writeQlog, writeSqlog } from './qlog.ts';
import { writeSsLines } from './ss-lines.ts';
import { writeTcpProbe } from './tcp-probe.ts';
import { readText2013, writeText2013 } from './text-2013.ts';
import { writeXplot } from './xplot.ts';

export { otherFrames } from './capture.ts';
export { busiestFlow, type Format, flowsToWrite, type WriteOptions } from './format.ts';
export { flowsToShow } from './pcapng-write.ts';

/** In the order in which they are offered. */
export const FORMATS: readonly Format[] = [
  {
    name: 'qflow',
    title: 'flow log (columns in chunks)',
    extensions: ['.qflow'],
    singleFlow: false,
    read: readTrace,
    write: (trace, sink, options) => writeTrace(chosen(trace, options), sink),
  },
  format('2013', 'text of the 2013 log', ['.log', '.txt'], true, writeText2013, readText2013),
  format('pcapng', 'packet capture with comments', ['.pcapng'], false, writePcapng, readPcapng),
  { name: 'pcap', title: 'packet capture', extensions: ['.pcap', '.cap'], singleFlow: false, read: readPcap },
  format('jsonl', 'JSON lines, nothing lost', ['.jsonl', '.ndjson'], false, writeJsonl, readJsonl),
  format('csv', 'tcp_probe as comma-separated values', ['.csv'], false, writeTcpProbe),
  format('xplot', 'time-sequence graph for xplot', ['.xpl'], true, writeXplot),
  format('qlog', 'qlog, a trace per flow', ['.qlog'], false, writeQlog),
  format('sqlog', 'qlog as JSON text sequences', ['.sqlog'], true, writeSqlog),
  format('ss', 'lines of ss -tin', ['.ss'], false, writeSsLines),
];

function format(
  name: string,
  title: string,
  extensions: readonly string[],
  singleFlow: boolean,
  pieces: (trace: Trace, options?: WriteOptions) => Iterable<Uint8Array>,
  read?: (bytes: Uint8Array) => Trace,
): Format {
  const write: Format['write'] = (trace, sink, options) => {
    for (const piece of pieces(trace, options)) sink(piece);
  };
  return { name, title, extensions, singleFlow, write, ...(read === undefined ? {} : { read }) };
}

/** @returns the trace with the flows that `options` name only. */
function chosen(trace: Trace, options: WriteOptions = {}): Trace {
  return options.flows === undefined ? trace : { ...trace, flows: flowsToWrite(trace, options) };
}

/** @returns the format of that name (`--to`, `--from`). */
export function formatByName(name: string): Format | undefined {
  return FORMATS.find((each) => each.name === name);
}

/** @returns the format that the end of a file name says. */
export function formatByFileName(path: string): Format | undefined {
  const lower = path.toLowerCase();
  return FORMATS.find(({ extensions }) => extensions.some((extension) => lower.endsWith(extension)));
}

const QFLOW_MAGIC = [0x51, 0x46, 0x4c, 0x4f, 0x57];
/** How much of a text is looked at. */
const LOOK_BYTES = 0x1_0000;

/** @returns the format that the first bytes of a file say, undefined when they say nothing. */
export function formatByContent(bytes: Uint8Array): Format | undefined {
  if (QFLOW_MAGIC.every((byte, index) => bytes[index] === byte)) return formatByName('qflow');
  if (isPcapng(bytes)) return formatByName('pcapng');
  if (isPcap(bytes)) return formatByName('pcap');
  const text = new TextDecoder().decode(bytes.subarray(0, LOOK_BYTES));
  if (/^\s*\{\s*"type"\s*:/.test(text)) return formatByName('jsonl');
  if (/^\s*Time=[\d.]+, *Delay=/m.test(text)) return formatByName('2013');
  return undefined;
}

/**
 * Reads a file of any format that can be read: its content decides, then its name.
 * @throws RangeError in one line when it is of no such format.
 */
export function readAny(bytes: Uint8Array, fileName = ''): Trace {
  const found = formatByContent(bytes) ?? formatByFileName(fileName);
  if (found?.read !== undefined) return found.read(bytes);
  const what = found === undefined ? 'is of no known format' : `is ${found.title}, which is only written`;
  throw new RangeError(`${fileName || 'this file'} ${what}`);
}

/** Reads JSON lines (jsonl-write.ts): lines as the writer makes them by hand, any other form of them by JSON.parse. */
import { segmentInfo } from '../segment-info.ts';
import {
  EventTableBuilder,
  MachineTableBuilder,
  SackTableBuilder,
  SegmentTableBuilder,
  WindowTableBuilder,
} from '../table-builders.ts';
import { WINDOW_SCHEMA } from '../tables.ts';
import {
  type FlowDescriptor,
  type FlowRowCounts,
  type FlowTrace,
  flowDescriptor,
  flowTrace,
  NO_ROWS,
  type SourceDescriptor,
  type SourceKind,
  type SourceTrace,
  sourceTrace,
  type Trace,
  type TraceClock,
} from '../trace.ts';
import { JsonlScanner } from './jsonl-scan.ts';
import { JSONL_VERSION } from './jsonl-shape.ts';

const WINDOW_NAMES = Object.keys(WINDOW_SCHEMA);
/** Flows and sources that rows name and no line describes: more than these are damage. */
const MAX_UNDESCRIBED = 64;
/** More flows or sources than any recorder describes: damage. */
const MAX_DESCRIBED = 1 << 16;

/** A flow that is being read. Tables are made when they have a row, so that a line that only names a flow costs little. */
export class FlowReading {
  descriptor: FlowDescriptor;
  firstSegment = 0;
  overwritten: FlowRowCounts = NO_ROWS;
  dropped: FlowRowCounts = NO_ROWS;
  #segments: SegmentTableBuilder | undefined;
  #sacks: SackTableBuilder | undefined;
  #windows: WindowTableBuilder | undefined;
  #events: EventTableBuilder | undefined;

  constructor(descriptor: FlowDescriptor) {
    this.descriptor = descriptor;
  }

  get segments(): SegmentTableBuilder {
    return (this.#segments ??= new SegmentTableBuilder());
  }

  get sacks(): SackTableBuilder {
    return (this.#sacks ??= new SackTableBuilder());
  }

  get windows(): WindowTableBuilder {
    return (this.#windows ??= new WindowTableBuilder());
  }

  get events(): EventTableBuilder {
    return (this.#events ??= new EventTableBuilder());
  }

  finish(): FlowTrace {
    const { descriptor, firstSegment, overwritten, dropped } = this;
    return flowTrace(descriptor, {
      firstSegment,
      overwritten,
      dropped,
      ...(this.#segments && { segments: this.#segments.finish() }),
      ...(this.#sacks && { sacks: this.#sacks.finish() }),
      ...(this.#windows && { windows: this.#windows.finish() }),
      ...(this.#events && { events: this.#events.finish() }),
    });
  }
}

/** A source that is being read. */
export class SourceReading {
  descriptor: SourceDescriptor;
  strings: readonly string[] = [];
  overwritten = 0;
  dropped = 0;
  #machine: MachineTableBuilder | undefined;

  constructor(descriptor: SourceDescriptor) {
    this.descriptor = descriptor;
  }

  get machine(): MachineTableBuilder {
    return (this.#machine ??= new MachineTableBuilder());
  }

  finish(): SourceTrace {
    const { descriptor, strings, overwritten, dropped } = this;
    const machine = this.#machine && { machine: this.#machine.finish() };
    return sourceTrace(descriptor, { strings, overwritten, dropped, ...machine });
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** What lines have told so far. */
export class JsonlReading {
  readonly flows = new Map<number, FlowReading>();
  readonly sources = new Map<number, SourceReading>();
  clock: TraceClock = { unixEpochUs: undefined, resolutionUs: 1 };
  readonly problems: string[] = [];
  #undescribed = 0;

  /** @returns the flow, undefined when there are too many that no line describes. */
  flow(id: number): FlowReading | undefined {
    const known = this.flows.get(id);
    if (known !== undefined || !Number.isSafeInteger(id) || this.#undescribed >= MAX_UNDESCRIBED) return known;
    this.#undescribed++;
    this.problems.push(`no line describes flow ${id}`);
    return this.addFlow(flowDescriptor({ id, source: 0 }));
  }

  addFlow(descriptor: FlowDescriptor): FlowReading {
    const flow = new FlowReading(descriptor);
    this.flows.set(descriptor.id, flow);
    return flow;
  }

  source(id: number): SourceReading | undefined {
    const known = this.sources.get(id);
    if (known !== undefined || !Number.isSafeInteger(id) || this.#undescribed >= MAX_UNDESCRIBED) return known;
    this.#undescribed++;
    this.problems.push(`no line describes source ${id}`);
    return this.addSource({ id, name: '', kind: 'host' });
  }

  addSource(descriptor: SourceDescriptor): SourceReading {
    const source = new SourceReading(descriptor);
    this.sources.set(descriptor.id, source);
    return source;
  }

  finish(): Trace {
    for (const { descriptor } of this.flows.values()) {
      if (!this.sources.has(descriptor.source)) this.source(descriptor.source);
    }
    const { clock, problems } = this;
    return {
      sources: [...this.sources.values()].map((source) => source.finish()),
      flows: [...this.flows.values()].map((flow) => flow.finish()),
      clock,
      problems,
    };
  }
}

/** @returns all that whole lines tell; other lines are counted in `problems`. */
export function readJsonl(bytes: Uint8Array): Trace {
  const reading = new JsonlReading();
  const scanner = new JsonlScanner(bytes, reading);
  const decoder = new TextDecoder();
  let badLines = 0;
  let firstBad = 0;
  for (let number = 1; scanner.hasLine; number++) {
    const other = scanner.next();
    if (other === undefined) continue;
    const text = decoder.decode(other).trim();
    if (text === '') continue;
    const fields = parse(text);
    if (fields?.['type'] === 'trace' && Number(fields['version']) > JSONL_VERSION) {
      reading.problems.push(`JSON lines of version ${fields['version']}: this reader knows version ${JSONL_VERSION}`);
      break;
    }
    if (fields !== undefined && take(reading, fields)) continue;
    if (badLines++ === 0) firstBad = number;
  }
  if (badLines === 1) reading.problems.push(`line ${firstBad} could not be read`);
  else if (badLines > 1) reading.problems.push(`${badLines} lines could not be read, the first is line ${firstBad}`);
  return reading.finish();
}

function parse(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

/** @returns whether it was a line of a kind that this reader knows. */
function take(reading: JsonlReading, fields: Fields): boolean {
  switch (fields['type']) {
    case 'trace':
      return takeTrace(reading, fields);
    case 'source':
      return takeSource(reading, fields);
    case 'flow':
      return takeFlow(reading, fields);
    case 'machine': {
      const source = reading.source(number(fields['source'], Number.NaN));
      if (source === undefined || !hasTime(fields)) return false;
      const [a, b, c] = [number(fields['a']), number(fields['b']), number(fields['c'])];
      source.machine.push(number(fields['timeUs']), number(fields['order']), number(fields['kind']), a, b, c);
      return true;
    }
    default: {
      const flow = reading.flow(number(fields['flow'], Number.NaN));
      return flow !== undefined && takeRow(flow, fields);
    }
  }
}

function takeRow(flow: FlowReading, fields: Fields): boolean {
  if (fields['type'] === 'sack') {
    flow.sacks.push(number(fields['segment']), number(fields['left']), number(fields['right']));
    return true;
  }
  if (!hasTime(fields)) return false;
  const timeUs = number(fields['timeUs']);
  const order = number(fields['order']);
  if (fields['type'] === 'event') {
    flow.events.push(timeUs, order, number(fields['kind']), number(fields['a']), number(fields['b']));
    return true;
  }
  if (fields['type'] === 'window') {
    flow.windows.pushValues(Float64Array.from(WINDOW_NAMES, (name) => number(fields[name])));
    return true;
  }
  if (fields['type'] !== 'segment') return false;
  const sacks: unknown[] = Array.isArray(fields['sacks']) ? fields['sacks'].slice(0, 7) : [];
  const seq = number(fields['seq']);
  const ack = number(fields['ack']);
  const bytes = number(fields['bytes']);
  const window = number(fields['window']);
  const timestamps = fields['tsVal'] !== undefined;
  const implied = segmentInfo(
    fields['dir'] === 'RX',
    number(fields['flags']),
    number(fields['reason']),
    timestamps,
    sacks.length,
  );
  const tsVal = number(fields['tsVal']);
  const tsEcr = number(fields['tsEcr']);
  const info = number(fields['info'], implied);
  const row = flow.segments.push(timeUs, order, seq, ack, bytes, window, tsVal, tsEcr, number(fields['delayUs']), info);
  for (const block of sacks) {
    if (Array.isArray(block)) flow.sacks.push(flow.firstSegment + row, number(block[0]), number(block[1]));
  }
  return true;
}

function takeTrace(reading: JsonlReading, fields: Fields): boolean {
  const clock = (fields['clock'] ?? {}) as Fields;
  const unixEpochUs = typeof clock['unixEpochUs'] === 'number' ? clock['unixEpochUs'] : undefined;
  reading.clock = { unixEpochUs, resolutionUs: number(clock['resolutionUs'], 1) };
  if (Array.isArray(fields['problems'])) reading.problems.push(...fields['problems'].slice(0, 1000).map(String));
  return true;
}

const SOURCE_KINDS: readonly SourceKind[] = ['domain', 'dom0', 'host', 'capture'];

function takeSource(reading: JsonlReading, fields: Fields): boolean {
  const id = number(fields['id'], Number.NaN);
  if (!Number.isSafeInteger(id)) return false;
  const kind = SOURCE_KINDS.find((known) => known === fields['kind']) ?? 'host';
  const descriptor = { id, name: String(fields['name'] ?? ''), kind };
  if (!reading.sources.has(id) && reading.sources.size >= MAX_DESCRIBED) return false;
  const source = reading.sources.get(id) ?? reading.addSource(descriptor);
  source.descriptor = descriptor;
  source.strings = Array.isArray(fields['strings']) ? fields['strings'].map(String) : [];
  source.overwritten = number(fields['overwritten']);
  source.dropped = number(fields['dropped']);
  return true;
}

function takeFlow(reading: JsonlReading, fields: Fields): boolean {
  const id = number(fields['id'], Number.NaN);
  if (!Number.isSafeInteger(id)) return false;
  const known = (name: string) => (typeof fields[name] === 'number' ? (fields[name] as number) : undefined);
  const descriptor: FlowDescriptor = {
    id,
    source: number(fields['source']),
    localAddress: number(fields['localAddress']),
    localPort: number(fields['localPort']),
    remoteAddress: number(fields['remoteAddress']),
    remotePort: number(fields['remotePort']),
    active: typeof fields['active'] === 'boolean' ? fields['active'] : undefined,
    iss: known('iss'),
    irs: known('irs'),
    sndShift: known('sndShift'),
    rcvShift: known('rcvShift'),
    mss: number(fields['mss']),
    congestion: typeof fields['congestion'] === 'string' ? fields['congestion'] : '',
    startUs: number(fields['startUs']),
  };
  if (!reading.flows.has(id) && reading.flows.size >= MAX_DESCRIBED) return false;
  const flow = reading.flows.get(id) ?? reading.addFlow(descriptor);
  flow.descriptor = descriptor;
  flow.firstSegment = number(fields['firstSegment']);
  flow.overwritten = rowCounts(fields['overwritten']);
  flow.dropped = rowCounts(fields['dropped']);
  return true;
}

function rowCounts(value: unknown): FlowRowCounts {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Fields;
  return {
    segments: number(fields['segments']),
    sacks: number(fields['sacks']),
    windows: number(fields['windows']),
    events: number(fields['events']),
  };
}

function hasTime(fields: Fields): boolean {
  return typeof fields['timeUs'] === 'number';
}

function number(value: unknown, otherwise = 0): number {
  return typeof value === 'number' ? value : otherwise;
}

/**
 * A flow log on its way from the thread of a domain to the one that writes the file: slots of shared memory that the domain
 * fills and the writer frees, and small messages that say which. Nothing is allocated for a chunk. What finds no free slot, as at
 * the end, when every flow hands over what it holds, goes along with its message, up to a bound; beyond that it is lost, and
 * counted by the recorder.
 */
import type { RowKind } from './qflow-layout.ts';
import type { FlowTotals, SourceTotals, TraceWriter } from './qflow-writer.ts';
import type { TraceSink } from './source-recorder.ts';
import type { FlowDescriptor, FlowRowCounts, SourceDescriptor } from './trace.ts';

const FREE = 0;
const FULL = 1;
const DEFAULT_SLOTS = 24;
/** 4096 rows of the widest table. */
const DEFAULT_SLOT_BYTES = 384 * 1024;
const DEFAULT_COPY_BYTES = 64 << 20;

/** What a domain posts; survives structured clone. */
export type TraceMessage =
  /** The first: the slots, one int32 word for the state of each, and one for the bytes that came along with messages. */
  | {
      readonly what: 'slots';
      readonly slots: SharedArrayBuffer;
      readonly states: SharedArrayBuffer;
      readonly slotBytes: number;
    }
  | { readonly what: 'source'; readonly source: SourceDescriptor; readonly totals?: SourceTotals }
  | { readonly what: 'flow'; readonly flow: FlowDescriptor; readonly totals?: FlowTotals }
  | {
      readonly what: 'rows';
      readonly kind: RowKind;
      readonly id: number;
      readonly firstRow: number;
      readonly rows: number;
      readonly packed: number;
      /** Where the payload lies, and its length; or the payload. */
      readonly slot: number;
      readonly bytes: number;
      readonly copy?: Uint8Array;
    };

export interface SlotSinkOptions {
  /** Chunks that may be under way. Default 24. */
  readonly slots?: number;
  /** Bytes of one. Default 384 KiB. */
  readonly slotBytes?: number;
  /** Most bytes that are under way beside the slots. Default 64 MiB. */
  readonly copyBytes?: number;
}

/** The domain's end. */
export class SlotSink implements TraceSink {
  readonly #post: (message: TraceMessage) => void;
  readonly #states: Int32Array;
  readonly #slots: Uint8Array;
  readonly #slotBytes: number;
  readonly #slotCount: number;
  readonly #copyBytes: number;
  #next = 0;
  /** Bytes that went along with messages since the start; wraps. */
  #copied = 0;

  constructor(post: (message: TraceMessage) => void, options: SlotSinkOptions = {}) {
    const { slots = DEFAULT_SLOTS, slotBytes = DEFAULT_SLOT_BYTES, copyBytes = DEFAULT_COPY_BYTES } = options;
    const memory = new SharedArrayBuffer(slots * slotBytes);
    const states = new SharedArrayBuffer((slots + 1) * 4);
    this.#post = post;
    this.#slotBytes = slotBytes;
    this.#slotCount = slots;
    this.#copyBytes = copyBytes;
    this.#slots = new Uint8Array(memory);
    this.#states = new Int32Array(states);
    post({ what: 'slots', slots: memory, states, slotBytes });
  }

  source(source: SourceDescriptor, totals?: SourceTotals): void {
    this.#post({ what: 'source', source, ...(totals === undefined ? {} : { totals }) });
  }

  flow(flow: FlowDescriptor, totals?: FlowTotals): void {
    this.#post({ what: 'flow', flow, ...(totals === undefined ? {} : { totals }) });
  }

  rows(kind: RowKind, id: number, firstRow: number, rows: number, payload: Uint8Array, packed: number): boolean {
    const bytes = payload.length;
    const slot = this.#next;
    if (bytes > this.#slotBytes || Atomics.load(this.#states, slot) !== FREE) {
      const underWay = (this.#copied - Atomics.load(this.#states, this.#slotCount)) | 0;
      if (underWay + bytes > this.#copyBytes) return false;
      this.#copied = (this.#copied + bytes) | 0;
      this.#post({ what: 'rows', kind, id, firstRow, rows, packed, slot: -1, bytes, copy: payload.slice() });
      return true;
    }
    this.#next = (slot + 1) % this.#slotCount;
    this.#slots.set(payload, slot * this.#slotBytes);
    Atomics.store(this.#states, slot, FULL);
    this.#post({ what: 'rows', kind, id, firstRow, rows, packed, slot, bytes });
    return true;
  }
}

/** The writer's end, one for each domain. */
export class SlotReceiver {
  readonly #writer: TraceWriter;
  #states: Int32Array = new Int32Array(0);
  #slots: Uint8Array = new Uint8Array(0);
  #slotBytes = 0;
  #rows = 0;
  /** Rows recorded, by flow and source, as the last totals had them. */
  readonly #recorded = new Map<string, number>();

  /** @param writer takes everything, from all domains, as it comes. */
  constructor(writer: TraceWriter) {
    this.#writer = writer;
  }

  /** Rows that were recorded and did not come, as far as totals have come. */
  get lost(): number {
    let recorded = 0;
    for (const rows of this.#recorded.values()) recorded += rows;
    return Math.max(recorded - this.#rows, 0);
  }

  /** Takes what `SlotSink` posted. Messages of one domain must come in the order in which they were posted. */
  receive(message: TraceMessage): void {
    switch (message.what) {
      case 'slots':
        this.#states = new Int32Array(message.states);
        this.#slots = new Uint8Array(message.slots);
        this.#slotBytes = message.slotBytes;
        break;
      case 'source':
        if (message.totals !== undefined) this.#recorded.set(`source ${message.source.id}`, message.totals.recorded);
        this.#writer.source(message.source, message.totals);
        break;
      case 'flow':
        if (message.totals !== undefined)
          this.#recorded.set(`flow ${message.flow.id}`, rowSum(message.totals.recorded));
        this.#writer.flow(message.flow, message.totals);
        break;
      case 'rows': {
        const { kind, id, firstRow, rows, packed, slot, bytes, copy } = message;
        const from = slot * this.#slotBytes;
        const payload = copy ?? this.#slots.subarray(from, from + bytes);
        this.#writer.payload(kind, id, firstRow, rows, payload, packed);
        this.#rows += rows;
        if (copy === undefined) Atomics.store(this.#states, slot, FREE);
        else Atomics.add(this.#states, this.#states.length - 1, bytes);
      }
    }
  }
}

function rowSum(rows: FlowRowCounts): number {
  return rows.segments + rows.sacks + rows.windows + rows.events;
}

import { type Crc32, SlotReceiver, type TraceMessage, TraceWriter } from '@qanat/flowlog';
import bufferCrc32 from 'buffer-crc32';
import type { Machine } from 'qanat';
import type { LivePage } from './live.ts';
import type { OutputFile } from './output-file.ts';

/** The check of chunks, by the package that Node's programs have for it. */
const crc32: Crc32 = ({ buffer, byteOffset, length }, previous) =>
  bufferCrc32.unsigned(Buffer.from(buffer, byteOffset, length), previous);

/** A streamed flow log: everything of all domains, as it comes, into a file, into pages, or both. */
export class TraceFile {
  /** Of the file, when there is one. */
  readonly path: string | undefined;
  readonly #file: OutputFile | undefined;
  readonly #writer: TraceWriter;
  readonly #receivers = new Map<string, SlotReceiver>();
  /** Rows that were recorded and found no room on their way. */
  lost = 0;

  /**
   * @param unixEpochUs Unix time at time 0 of the machine; undefined on virtual time, so that a run repeats to the byte.
   */
  constructor(
    file: OutputFile | undefined,
    live: LivePage | undefined,
    machine: Machine,
    unixEpochUs: number | undefined,
  ) {
    this.path = file?.path;
    this.#file = file;
    const { resolutionUs } = machine.clock;
    const sink = (bytes: Uint8Array): void => {
      file?.write(bytes);
      live?.write(bytes);
    };
    this.#writer = new TraceWriter(sink, { clock: { unixEpochUs, resolutionUs }, crc32 });
  }

  /** Rows written. */
  get rows(): number {
    return this.#writer.rows;
  }

  /** @param from which domain. */
  receive(from: string, trace: TraceMessage): void {
    let receiver = this.#receivers.get(from);
    if (receiver === undefined) {
      receiver = new SlotReceiver(this.#writer);
      this.#receivers.set(from, receiver);
    }
    receiver.receive(trace);
  }

  /** All is there. */
  end(): void {
    this.#writer.end();
    for (const receiver of this.#receivers.values()) this.lost += receiver.lost;
    this.#file?.commit();
  }
}

/** What stays in memory of the queues of a bridge: one line for each port, its extremes in every 128 rows of the machine. */
import { GrowTable, lowerBound } from './grow-table.ts';

/** Ports that get a line: a machine has a handful, a damaged log could name any number. */
const MAX_PORTS = 64;

/** Columns of a port: first and last time of a bucket, lowest, highest and last value in it. */
export const QUEUE_FIRST_US = 0;
const QUEUE_LAST_US = 1;
export const QUEUE_LO = 2;
export const QUEUE_HI = 3;
const QUEUE_VALUE = 4;

export class PortQueueDigest {
  readonly table = new GrowTable(5, 4);
  #bucket = -1;

  /** @param bucket a new one begins where it is another than before. */
  add(bucket: number, timeUs: number, packets: number): void {
    const { table } = this;
    if (bucket !== this.#bucket) {
      this.#bucket = bucket;
      const row = table.add();
      table.column(QUEUE_FIRST_US)[row] = timeUs;
      table.column(QUEUE_LO)[row] = packets;
      table.column(QUEUE_HI)[row] = packets;
    }
    const row = table.rows - 1;
    table.column(QUEUE_LAST_US)[row] = timeUs;
    table.column(QUEUE_VALUE)[row] = packets;
    if (packets < table.column(QUEUE_LO)[row]!) table.column(QUEUE_LO)[row] = packets;
    if (packets > table.column(QUEUE_HI)[row]!) table.column(QUEUE_HI)[row] = packets;
  }

  /** @returns the value that the last bucket before an instant left behind, and since when; undefined when there is none. */
  before(timeUs: number): { readonly t: number; readonly value: number } | undefined {
    const last = this.table.column(QUEUE_LAST_US);
    const row = lowerBound(last, timeUs, 0, this.table.rows) - 1;
    return row < 0 ? undefined : { t: last[row]!, value: this.table.column(QUEUE_VALUE)[row]! };
  }
}

export class QueueDigest {
  readonly #ports = new Map<number, PortQueueDigest>();

  /** @param vif of the port. @param bucket the machine's that the row belongs to. */
  add(vif: number, bucket: number, timeUs: number, packets: number): void {
    let port = this.#ports.get(vif);
    if (port === undefined) {
      if (this.#ports.size === MAX_PORTS) return;
      port = new PortQueueDigest();
      this.#ports.set(vif, port);
    }
    port.add(bucket, timeUs, packets);
  }

  /** Ascending. */
  get vifs(): readonly number[] {
    return [...this.#ports.keys()].sort((a, b) => a - b);
  }

  of(vif: number): PortQueueDigest | undefined {
    return this.#ports.get(vif);
  }
}

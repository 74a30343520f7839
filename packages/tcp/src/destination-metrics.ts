import { LRUCache } from 'lru-cache';

const MOST_DESTINATIONS = 1024;
/** After two SYNs with data were lost in a row, how long plain ones go instead; doubles with each further loss. */
const LOSS_PAUSE_US = 60_000_000;
const MOST_LOSSES = 10;

/** What Fast Open learned about one destination (RFC 7413 section 4.1.3). */
export interface DestinationMetrics {
  /** MSS that it announced. */
  mss: number;
  /** Its cookie; empty when it gave none. */
  cookie: Uint8Array;
  /** The cookie is of the experimental option. */
  experimental: boolean;
  /** 0: ask by the option's own kind; 1: that went unanswered, ask as an experiment; 2: so did that. */
  tried: number;
  /** SYNs with data that were lost in a row, and when the last was. */
  losses: number;
  lastLossUs: number;
}

/**
 * What earlier connections taught about destinations, for the next one: MSS and Fast Open cookie. May be forgotten at
 * any time, and is, when there are too many.
 */
export class DestinationCache {
  readonly #entries = new LRUCache<string, DestinationMetrics>({ max: MOST_DESTINATIONS });

  get(local: number, remote: number): DestinationMetrics | undefined {
    return this.#entries.get(keyOf(local, remote));
  }

  /** The entry of a destination, fresh if there is none. */
  entry(local: number, remote: number): DestinationMetrics {
    const key = keyOf(local, remote);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { mss: 0, cookie: new Uint8Array(0), experimental: false, tried: 0, losses: 0, lastLossUs: 0 };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear();
  }
}

/** Whether something on the way seems to drop SYNs with data or options it does not know: no Fast Open for a while. */
export function pausedByLoss(metrics: DestinationMetrics, nowUs: number): boolean {
  return metrics.losses > 1 && nowUs < metrics.lastLossUs + LOSS_PAUSE_US * 2 ** metrics.losses;
}

export function noteSynLoss(metrics: DestinationMetrics, nowUs: number): void {
  if (metrics.losses < MOST_LOSSES) metrics.losses++;
  metrics.lastLossUs = nowUs;
}

/** A cookie depends on our own address too. */
function keyOf(local: number, remote: number): string {
  return `${local}>${remote}`;
}

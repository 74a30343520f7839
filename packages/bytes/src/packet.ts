/** Most fragments a packet may have: 18 slots (XEN_NETIF_NR_SLOTS_MIN), as Linux netback allows. */
export const MAX_FRAGMENTS = 18;

/** Room kept in front of a packet for the headers of lower layers (Ethernet + IPv4 + TCP with options, rounded up). */
export const HEADROOM = 128;

/** The transport checksum is not computed: the field holds the pseudo-header sum only (NETTXF_csum_blank). */
export const PACKET_CSUM_BLANK = 1;
/** The transport checksum is known to be right (NETRXF_data_validated). */
export const PACKET_DATA_VALIDATED = 2;

/**
 * A packet: addresses and lengths in machine memory. It holds no bytes and is pooled or reused by the device that
 * owns it. Who receives a packet may use it until the call returns; what must live longer is copied.
 *
 * The first `headLen` bytes at `addr` are contiguous. Most packets have no further fragments (`fragCount` is 0 and
 * `headLen === len`). Every header up to TCP's lies in the head (devices linearize or drop what does not comply).
 */
export class Packet {
  /** Address of the first byte of the layer being looked at; moves forward as headers are pulled. */
  addr = 0;
  /** Bytes from `addr` to the end of the packet, fragments included. */
  len = 0;
  /** Bytes that are contiguous at `addr`. */
  headLen = 0;
  /** Fragments after the head. */
  fragCount = 0;
  readonly fragAddr = new Int32Array(MAX_FRAGMENTS);
  readonly fragLen = new Int32Array(MAX_FRAGMENTS);
  /** PACKET_CSUM_BLANK | PACKET_DATA_VALIDATED. */
  flags = 0;
  /** Segment size for GSO, 0 where it is one ordinary packet. */
  gsoSize = 0;
  /** When the packet entered the machine (ring, TAP), in microseconds of the owner's clock. */
  arrivedUs = 0;
  /** The device's own reference to the buffer (a page, a slot); meaningless to anybody else. */
  token = 0;
  /** Queue of its device that it was allocated from. */
  queue = 0;

  /** Makes this a contiguous packet of `len` bytes at `addr`. */
  set(addr: number, len: number): void {
    this.addr = addr;
    this.len = len;
    this.headLen = len;
    this.fragCount = 0;
    this.flags = 0;
    this.gsoSize = 0;
  }

  /** Takes `bytes` of header off the front. The caller has checked `headLen >= bytes`. */
  pull(bytes: number): void {
    this.addr += bytes;
    this.len -= bytes;
    this.headLen -= bytes;
  }

  /** Puts `bytes` of header in front (into the headroom, or back over what `pull` took). */
  push(bytes: number): void {
    this.addr -= bytes;
    this.len += bytes;
    this.headLen += bytes;
  }

  /** Cuts padding: keeps the first `bytes` bytes. The caller has checked `bytes <= len`. */
  trim(bytes: number): void {
    this.len = bytes;
    if (bytes <= this.headLen) {
      this.headLen = bytes;
      this.fragCount = 0;
      return;
    }
    let left = bytes - this.headLen;
    for (let i = 0; i < this.fragCount; i++) {
      const fragment = this.fragLen[i]!;
      if (fragment >= left) {
        this.fragLen[i] = left;
        this.fragCount = i + 1;
        return;
      }
      left -= fragment;
    }
  }
}

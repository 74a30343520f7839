import { XEN_NETIF_NR_SLOTS_MIN } from '@qanat/xen';
import type { PersistentGrants } from './persistent-grants.ts';

/** A frame as its sender described it: pieces of granted pages. One object, filled anew for each frame. */
export class Frame {
  /** Who granted the pages. */
  domid = 0;
  /** Its pages that stay mapped, where the sender keeps them. */
  grants: PersistentGrants | undefined;
  /** Pieces that hold bytes. */
  slots = 0;
  readonly refs = new Int32Array(XEN_NETIF_NR_SLOTS_MIN);
  readonly offsets = new Int32Array(XEN_NETIF_NR_SLOTS_MIN);
  readonly sizes = new Int32Array(XEN_NETIF_NR_SLOTS_MIN);
  /** Bytes of all pieces; 0 when the frame shall be answered with an error and go nowhere. */
  len = 0;
  /** NETTXF_csum_blank and NETTXF_data_validated, as the sender set them. */
  flags = 0;
  /** Payload of each segment of a super-segment, else 0. */
  gsoSize = 0;
  /** Its flow's hash (@qanat/ipv4), once somebody has asked for it. */
  isHashed = false;
  flowHash = 0;
}

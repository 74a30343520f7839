/**
 * Slots of the netif rings (xen/include/public/io/netif.h). Offsets in bytes within a slot; little-endian, 16-bit
 * statuses are signed.
 */
export const NETIF_TX_SLOT_BYTES = 12;
export const NETIF_RX_SLOT_BYTES = 8;
export const NETIF_TX_RING_ENTRIES = 256;
export const NETIF_RX_RING_ENTRIES = 256;

/** netif_tx_request */
export const TX_REQ_GREF = 0;
export const TX_REQ_OFFSET = 4;
export const TX_REQ_FLAGS = 6;
export const TX_REQ_ID = 8;
/** Bytes of the whole packet in its first request, of its own fragment in the others. */
export const TX_REQ_SIZE = 10;
/** netif_tx_response */
export const TX_RSP_ID = 0;
export const TX_RSP_STATUS = 2;

/** netif_rx_request */
export const RX_REQ_ID = 0;
export const RX_REQ_GREF = 4;
/** netif_rx_response */
export const RX_RSP_ID = 0;
export const RX_RSP_OFFSET = 2;
export const RX_RSP_FLAGS = 4;
/** Bytes in this slot when not negative, an error otherwise. */
export const RX_RSP_STATUS = 6;

/** Flags of a tx request. Bits 0 and 1 are swapped between the rings. */
export const NETTXF_CSUM_BLANK = 1;
export const NETTXF_DATA_VALIDATED = 2;
export const NETTXF_MORE_DATA = 4;
export const NETTXF_EXTRA_INFO = 8;
/** Flags of an rx response. */
export const NETRXF_DATA_VALIDATED = 1;
export const NETRXF_CSUM_BLANK = 2;
export const NETRXF_MORE_DATA = 4;
export const NETRXF_EXTRA_INFO = 8;
/** Deprecated. */
export const NETRXF_GSO_PREFIX = 16;

/** netif_extra_info, 8 bytes in a slot of its own after the first. */
export const EXTRA_TYPE = 0;
export const EXTRA_FLAGS = 1;
export const EXTRA_GSO_SIZE = 2;
export const EXTRA_GSO_TYPE = 4;
export const EXTRA_GSO_FEATURES = 6;
export const EXTRA_MCAST_ADDR = 2;
export const EXTRA_HASH_TYPE = 2;
export const EXTRA_HASH_ALGORITHM = 3;
export const EXTRA_HASH_VALUE = 4;
export const EXTRA_INFO_BYTES = 8;

export const XEN_NETIF_EXTRA_TYPE_NONE = 0;
export const XEN_NETIF_EXTRA_TYPE_GSO = 1;
export const XEN_NETIF_EXTRA_TYPE_MCAST_ADD = 2;
export const XEN_NETIF_EXTRA_TYPE_MCAST_DEL = 3;
export const XEN_NETIF_EXTRA_TYPE_HASH = 4;
export const XEN_NETIF_EXTRA_FLAG_MORE = 1;
export const XEN_NETIF_GSO_TYPE_TCPV4 = 1;
export const XEN_NETIF_GSO_TYPE_TCPV6 = 2;

/** Longest packet. */
export const XEN_NETIF_MAX_TX_SIZE = 0xffff;
/** Slots a packet may always take, extra slots not counted. */
export const XEN_NETIF_NR_SLOTS_MIN = 18;

export const NETIF_RSP_OKAY = 0;
export const NETIF_RSP_ERROR = -1;
export const NETIF_RSP_DROPPED = -2;
/** The answer to an extra slot. */
export const NETIF_RSP_NULL = 1;

/** The control ring: requests of 16 bytes, responses of 12. */
export const NETIF_CTRL_REQ_BYTES = 16;
export const NETIF_CTRL_RSP_BYTES = 12;

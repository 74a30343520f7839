/**
 * Grant table version 1 (xen/include/public/grant_table.h). An entry is 8 bytes: flags u16, domid u16, frame u32.
 * flags and domid share one 32-bit word, so whoever checks an entry reads both in one atomic load.
 */
export const GRANT_ENTRY_BYTES = 8;
export const GRANT_FLAGS = 0;
export const GRANT_DOMID = 2;
export const GRANT_FRAME = 4;

export const GNTTAB_RESERVED_CONSOLE = 0;
export const GNTTAB_RESERVED_XENSTORE = 1;
/** References 0 to 7 are the toolstack's. */
export const GNTTAB_NR_RESERVED_ENTRIES = 8;

export const GTF_INVALID = 0;
export const GTF_PERMIT_ACCESS = 1;
export const GTF_ACCEPT_TRANSFER = 2;
export const GTF_TRANSITIVE = 3;
export const GTF_TYPE_MASK = 3;
/** Set by the granter. */
export const GTF_READONLY = 4;
/** Set by the hypervisor while the peer uses the grant. */
export const GTF_READING = 8;
export const GTF_WRITING = 16;

export const GNTTABOP_MAP_GRANT_REF = 0;
export const GNTTABOP_UNMAP_GRANT_REF = 1;
export const GNTTABOP_SETUP_TABLE = 2;
export const GNTTABOP_COPY = 5;

/** Status of an operation: GNTST_*. */
export const GNTST_OKAY = 0;
export const GNTST_GENERAL_ERROR = -1;
export const GNTST_BAD_DOMAIN = -2;
export const GNTST_BAD_GNTREF = -3;
export const GNTST_BAD_HANDLE = -4;
export const GNTST_BAD_VIRT_ADDR = -5;
export const GNTST_BAD_DEV_ADDR = -6;
export const GNTST_NO_DEVICE_SPACE = -7;
export const GNTST_PERMISSION_DENIED = -8;
export const GNTST_BAD_PAGE = -9;
export const GNTST_BAD_COPY_ARG = -10;
export const GNTST_ADDRESS_TOO_BIG = -11;
export const GNTST_EAGAIN = -12;
export const GNTST_NO_SPACE = -13;

/**
 * Where the hypervisor keeps its things in machine memory. This is ours, not Xen's; guests have no business here.
 *
 * frame 0: nobody's (address 0 means "none"). Frame 1: the machine header. Then the domain table, then the frame table
 * (one u16 a frame), then the frames that are handed out.
 */
export const MACHINE_ADDR = 4096;
export const MACHINE_MAGIC_VALUE = 0x716e_6174;
export const MACHINE_VERSION_VALUE = 1;

/** Offsets in the header. Locks stand in cache lines of their own. */
export const MACHINE_MAGIC = 0;
export const MACHINE_VERSION = 4;
export const MACHINE_FRAMES = 8;
export const MACHINE_FIRST_FRAME = 12;
export const MACHINE_NEXT_DOMID = 16;
export const MACHINE_CLOCK_ORIGIN_US = 24;
export const MACHINE_EVENT_LOCK = 64;
export const MACHINE_GRANT_LOCK = 128;
export const MACHINE_DOMAIN_LOCK = 192;

/** Domids are 0 to 127 and name a record each. */
export const MAX_DOMAINS = 128;
export const DOMAIN_TABLE_ADDR = 8192;
export const DOMAIN_SHIFT = 9;
export const DOMAIN_BYTES = 1 << DOMAIN_SHIFT;
export const FRAME_TABLE_ADDR = DOMAIN_TABLE_ADDR + MAX_DOMAINS * DOMAIN_BYTES;

/** Values of the frame table below FRAME_OWNER_BASE; an owned frame holds FRAME_OWNER_BASE + domid. */
export const FRAME_FREE = 0;
/** Free, and not zeroed since it was used. */
export const FRAME_FREE_DIRTY = 1;
export const FRAME_XEN = 2;
export const FRAME_OWNER_BASE = 16;

/** Offsets in a domain's record. */
export const DOM_STATE = 0;
export const DOM_SHARED_INFO = 4;
export const DOM_CHANNELS = 8;
export const DOM_GRANT_TABLE = 12;
export const DOM_GRANT_PINS = 16;
export const DOM_MAPTRACK = 20;
export const DOM_START_INFO = 24;
export const DOM_XENSTORE = 28;
export const DOM_XENSTORE_PORT = 32;
export const DOM_CONSOLE = 36;
export const DOM_CONSOLE_PORT = 40;
export const DOM_FIRST = 44;
export const DOM_BYTES = 48;
/** Pages of this domain that others have mapped. */
export const DOM_FOREIGN_MAPS = 52;
/** -1 or the reason given to SCHEDOP_shutdown. */
export const DOM_SHUTDOWN = 56;
/** The vcpu. BLOCKED is the word its thread waits on. */
export const VCPU_BLOCKED = 64;
/** 0 none, -1 many, or the one port it polls. */
export const VCPU_POLL_EVTCHN = 68;
/** The domain's set of polling vcpus, bit 0. */
export const DOM_POLL_MASK = 72;
/** f64, ns of machine time, 0 while stopped. Only the vcpu's own CPU touches the timers. */
export const VCPU_POLL_TIMER = 80;
export const VCPU_SINGLESHOT_TIMER = 88;
/** u32: 1 + the CPU of the host that the vcpu is kept to, or 0. */
export const VCPU_AFFINITY = 96;
/** Not 0 while a grant copy of this domain's is under way. */
export const DOM_COPYING = 128;
/** u32 by VIRQ: the port it is bound to, or 0. */
export const DOM_VIRQ_PORT = 136;
/** f64[32]: whatever the kernel in the domain publishes of itself. */
export const DOM_STATS = 256;
export const DOM_STATS_COUNT = 32;

export const DOMAIN_FREE = 0;
export const DOMAIN_ALIVE = 1;
/** Being taken apart. */
export const DOMAIN_DYING = 2;
/** Gone, but others still hold maps of its pages. */
export const DOMAIN_ZOMBIE = 3;
/** Being put together. */
export const DOMAIN_BUILDING = 4;

/** Values of VCPU_BLOCKED. */
export const RUNNING = 0;
export const BLOCKED = 1;
/** Blocked, and its thread is (about to be) in Atomics.wait: whoever unblocks it must notify. */
export const BLOCKED_WAITING = 2;

/** What every domain has beside its own memory: pages, passed on to later domains and never used for anything else. */
export const GRANT_TABLE_PAGES = 16;
export const GRANT_ENTRIES = (GRANT_TABLE_PAGES * 4096) / 8;
export const CHANNELS_PAGES = 4;
export const GRANT_PINS_PAGES = 8;
/** A backend keeps the pages of its frontends mapped: some 650 for each queue of a vif. */
export const MAPTRACK_PAGES = 64;
/** A map: frame and owner (0 = free handle), reference, flags. */
export const MAPTRACK_ENTRY_BYTES = 16;
export const MAPTRACK_ENTRIES = (MAPTRACK_PAGES * 4096) / MAPTRACK_ENTRY_BYTES;

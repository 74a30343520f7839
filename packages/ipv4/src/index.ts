export * from './address.ts';
export { IPV4_DEFAULTS, type Ipv4Config } from './config.ts';
export { fragmentCount, writeFragment } from './fragmentation.ts';
export * from './header-check.ts';
export { Identification } from './identification.ts';
export { copyFromPacket, sumPacket } from './packet-bytes.ts';
export { Reassembler, type ReassemblyOptions, type ReassemblyStats } from './reassembly.ts';
export { Scratch } from './scratch.ts';
export * from './wire.ts';

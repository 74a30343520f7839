export { UDP_DEFAULTS, type UdpConfig } from './config.ts';
export { type UdpErrno, UdpError } from './errors.ts';
export { type UdpHandler, UdpSocket } from './socket.ts';
export type { UdpStats } from './stats.ts';
export {
  UDP_DELIVERED,
  UDP_DROPPED,
  UDP_HEADROOM,
  UDP_NO_PORT,
  Udp,
  type UdpOpenOptions,
  type UdpOptions,
  type UdpPort,
} from './udp.ts';
export * from './wire.ts';

/** Every tunable of UDP. */
export interface UdpConfig {
  /** First and last port that is given to sockets without one. Linux ip_local_port_range. */
  readonly firstEphemeralPort: number;
  readonly lastEphemeralPort: number;
  /** Sockets in all. Ours. */
  readonly maxSockets: number;
}

export const UDP_DEFAULTS: UdpConfig = {
  firstEphemeralPort: 32768,
  lastEphemeralPort: 60999,
  maxSockets: 4096,
};

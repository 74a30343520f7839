import type { Script } from '../ast.ts';
import { UnsupportedError } from '../errors.ts';
import type { HostOptions } from '../host/host.ts';
import type { PshPolicy } from '../packet/compare.ts';

/** What a caller may set for all scripts. */
export interface RunOptions {
  /** Least tolerance of times in microseconds (default 4000); a script's own option comes before it. */
  readonly toleranceUs?: number;
  readonly psh?: PshPolicy;
  readonly defines?: ReadonlyMap<string, string>;
  readonly seed?: number;
}

/** How one script is run: its own options over the caller's. */
export interface RunConfig {
  readonly host: HostOptions;
  readonly bindPort: number;
  readonly connectPort: number;
  readonly toleranceUs: number;
  /** Part of the time since the previous event that is tolerated. */
  readonly tolerancePart: number;
  readonly psh: PshPolicy;
  readonly strictSegments: boolean;
  readonly timestampTickUs: number;
  readonly scaledEcr: boolean;
  /** Segment size that an inbound packet larger than the MTU was put together from; 0 for none. */
  readonly mss: number;
  /** Commands of --init_scripts. */
  readonly init: readonly string[];
}

const DEFAULT_TOLERANCE_US = 4000;
const TOLERANCE_PART = 1 / 8;
const DEFAULT_MTU = 1500;

/** Options that say nothing to this runner. */
const IGNORED: readonly string[] = [
  'code_command',
  'code_format',
  'code_sockopt',
  'debug',
  'define',
  'dry_run',
  'gateway_ip',
  'non_fatal',
  'send_omit_free',
  'so_filename',
  'speed',
  'verbose',
];

/** @throws UnsupportedError for an option that is not known, or asks for what is missing here. */
export function runConfig(script: Script, options: RunOptions): RunConfig {
  const values = new Map(script.options.map((option) => [option.name, option.value ?? '']));
  const take = (name: string): string | undefined => {
    const value = values.get(name);
    values.delete(name);
    return value;
  };
  const number = (name: string, otherwise: number): number => {
    const text = take(name);
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (text === '' || !Number.isFinite(value) || value < 0)
      throw new UnsupportedError(`--${name}=${text} is no number`);
    return value;
  };
  const version = take('ip_version');
  if (version !== undefined && version !== 'ipv4' && version !== 'ipv4-mapped-ipv6') {
    throw new UnsupportedError(`IP version ${version} is not supported`);
  }
  const config: RunConfig = {
    host: {
      localAddress: take('local_ip') ?? '192.168.0.1',
      remoteAddress: (take('remote_ip') ?? '192.0.2.1').replace(/\/.*$/, ''),
      prefixBits: prefixBits(take('netmask_ip')),
      mtu: number('mtu', DEFAULT_MTU),
      seed: options.seed ?? 1,
    },
    bindPort: number('bind_port', 8080),
    connectPort: number('connect_port', 8080),
    toleranceUs: number('tolerance_usecs', options.toleranceUs ?? DEFAULT_TOLERANCE_US),
    tolerancePart: number('tolerance_percent', TOLERANCE_PART * 100) / 100,
    psh: options.psh ?? 'lenient',
    strictSegments: take('strict_segments') !== undefined,
    timestampTickUs: number('tcp_ts_tick_usecs', 0),
    scaledEcr: take('tcp_ts_ecr_scaled') !== undefined,
    mss: number('mss', 0),
    init: (take('init_scripts') ?? '').split(',').filter((path) => path !== ''),
  };
  for (const name of IGNORED) values.delete(name);
  const [unknown] = values.keys();
  if (unknown !== undefined) throw new UnsupportedError(`the option --${unknown} is not supported`);
  if (config.host.mtu < 68 || config.host.mtu > 65535)
    throw new UnsupportedError(`an MTU of ${config.host.mtu} is not supported`);
  return config;
}

function prefixBits(netmask: string | undefined): number {
  if (netmask === undefined) return 16;
  const bits = netmask
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
  const match = /^(1*)0*$/.exec(bits);
  if (!match || bits.length !== 32) throw new UnsupportedError(`the netmask ${netmask} is not supported`);
  return match[1]!.length;
}

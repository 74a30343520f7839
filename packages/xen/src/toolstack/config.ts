import { formatMac, isStation, macHi, macLo, parseMac, type RandomSource, randomXenMac } from '@qanat/ethernet';
import { contains, parseAddress, parseCidr } from '@qanat/ipv4';

/** A domain as its builder describes it; the words are those of an `xl` configuration. */
export interface DomainConfig<Image = unknown> {
  /** 1 to 64 letters, digits, `-`, `_`, `.`; unique among the running domains. */
  readonly name: string;
  /** Memory in MiB. Default 64. */
  readonly memoryMiB?: number;
  /** The module that runs in the domain: an URL or absolute path, or the image itself where domains share a thread. */
  readonly image: URL | string | Image;
  readonly vifs?: readonly VifConfig[];
  /** The CPU of the host that its vcpu is kept to, where it is a thread (xl.cfg: `cpus`). Default: the host's choice, ever anew. */
  readonly affinity?: number | undefined;
  /** Given to the image as `kernel.args`; structured-cloneable. */
  readonly args?: unknown;
}

/** One network interface of a domain. */
export interface VifConfig {
  /** The bridge in Dom0 that it is plugged into. Default `xenbr0`. */
  readonly bridge?: string;
  /** `00:16:3e:xx:xx:xx`. Default: a random one under Xen's prefix. */
  readonly mac?: string;
  /** Address and prefix, `192.168.8.101/24`. */
  readonly ip?: string;
  /** The next hop for everything else; lies in the network of `ip`. */
  readonly gateway?: string;
  /** Largest IP packet in bytes, 68..65521. Default 1500. */
  readonly mtu?: number;
  /** Packets that the bridge queues for this interface before it drops. Default 1000. */
  readonly txqueuelen?: number;
  /** Options of an impaired link at the bridge's port, passed on to the backend as they are. */
  readonly impair?: Readonly<Record<string, unknown>>;
}

/** A vif with nothing left open. Structured-cloneable. */
export interface ResolvedVif {
  /** Number of the device in its domain, from 0. */
  readonly index: number;
  readonly bridge: string;
  readonly mac: string;
  readonly ip: string | undefined;
  readonly gateway: string | undefined;
  readonly mtu: number;
  readonly txqueuelen: number;
  readonly impair: Readonly<Record<string, unknown>> | undefined;
}

/** What a domain knows of its own configuration. Structured-cloneable. */
export interface ResolvedDomainConfig {
  readonly name: string;
  readonly memoryMiB: number;
  readonly vifs: readonly ResolvedVif[];
  readonly affinity?: number | undefined;
}

/** A configuration that cannot be: says which value, what is wrong with it, and what would do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'ERR_INVALID_CONFIG';
  /** Where: `memoryMiB`, `vifs[0].mac`, ... */
  readonly key: string;

  constructor(key: string, message: string) {
    super(`${key}: ${message}`);
    this.key = key;
  }
}

export const DEFAULT_MEMORY_MIB = 64;
export const DEFAULT_BRIDGE = 'xenbr0';
export const DEFAULT_MTU = 1500;
export const DEFAULT_TXQUEUELEN = 1000;
const MIN_MEMORY_MIB = 1;
const MAX_MEMORY_MIB = 2047;
/** RFC 791: every host takes 68 bytes; 65535 minus the Ethernet header is what one netif packet can carry. */
const MIN_MTU = 68;
const MAX_MTU = 65535 - 14;
const MAX_TXQUEUELEN = 1_000_000;
const MAX_VIFS = 64;
/** As many as Linux can have [CONFIG_NR_CPUS]. */
const MAX_CPU = 8191;
/** The options go through one xenstore node. */
const MAX_IMPAIR_BYTES = 1024;

/**
 * Checks a configuration and fills in the defaults.
 * @param random draws the MACs that were not given.
 * @throws ConfigError for the first value that cannot be.
 */
export function resolveDomainConfig(config: DomainConfig, random: RandomSource): ResolvedDomainConfig {
  if (typeof config !== 'object' || config === null) {
    throw new ConfigError('config', `expected an object with a name and an image, got ${show(config)}`);
  }
  const { name, memoryMiB = DEFAULT_MEMORY_MIB, vifs = [], affinity, image } = config;
  if (typeof name !== 'string' || !/^[A-Za-z0-9_.-]{1,64}$/.test(name)) {
    throw new ConfigError('name', `${show(name)} is not a domain name: use 1 to 64 letters, digits, "-", "_" or "."`);
  }
  checkInteger('memoryMiB', memoryMiB, MIN_MEMORY_MIB, MAX_MEMORY_MIB, 'MiB');
  if (affinity !== undefined) checkInteger('affinity', affinity, 0, MAX_CPU, 'as the host numbers its CPUs');
  checkImage(image);
  if (!Array.isArray(vifs)) throw new ConfigError('vifs', `expected a list of interfaces, got ${show(vifs)}`);
  if (vifs.length > MAX_VIFS) throw new ConfigError('vifs', `${vifs.length} interfaces: at most ${MAX_VIFS} fit`);
  const resolved = vifs.map((vif: VifConfig, index) => resolveVif(vif, index, random));
  checkUnique(resolved);
  return { name, memoryMiB, vifs: resolved, affinity };
}

function resolveVif(vif: VifConfig, index: number, random: RandomSource): ResolvedVif {
  const key = `vifs[${index}]`;
  if (typeof vif !== 'object' || vif === null) throw new ConfigError(key, `expected an object, got ${show(vif)}`);
  const { bridge = DEFAULT_BRIDGE, mtu = DEFAULT_MTU, txqueuelen = DEFAULT_TXQUEUELEN, ip, gateway, impair } = vif;
  if (typeof bridge !== 'string' || !/^[A-Za-z0-9_.-]{1,15}$/.test(bridge)) {
    throw new ConfigError(
      `${key}.bridge`,
      `${show(bridge)} is not a bridge name: use 1 to 15 letters, digits, "-", "_"`,
    );
  }
  checkInteger(`${key}.mtu`, mtu, MIN_MTU, MAX_MTU, 'bytes');
  checkInteger(`${key}.txqueuelen`, txqueuelen, 1, MAX_TXQUEUELEN, 'packets');
  checkAddresses(key, ip, gateway);
  checkImpair(key, impair);
  return { index, bridge, mac: resolveMac(key, vif.mac, random), ip, gateway, mtu, txqueuelen, impair };
}

function resolveMac(key: string, mac: string | undefined, random: RandomSource): string {
  if (mac === undefined) return formatMac(randomXenMac(random));
  const bytes = rethrow(`${key}.mac`, () => parseMac(`${mac}`));
  if (!isStation(macHi(bytes), macLo(bytes))) {
    throw new ConfigError(
      `${key}.mac`,
      `${show(mac)} is a group address or zero: the first byte must be even, as in 00:16:3e:00:00:01`,
    );
  }
  return formatMac(bytes);
}

function checkAddresses(key: string, ip: string | undefined, gateway: string | undefined): void {
  if (ip === undefined) {
    if (gateway !== undefined) throw new ConfigError(`${key}.gateway`, 'a gateway needs an address: give ip, too');
    return;
  }
  if (typeof ip !== 'string' || !ip.includes('/')) {
    throw new ConfigError(`${key}.ip`, `${show(ip)} lacks its prefix: write it as in 192.168.8.101/24`);
  }
  const cidr = rethrow(`${key}.ip`, () => parseCidr(ip));
  const first = cidr.address >>> 24;
  if (first === 0 || first === 127 || first >= 224) {
    throw new ConfigError(`${key}.ip`, `${show(ip)} is not an address of a host: take one like 192.168.8.101/24`);
  }
  if (cidr.prefixBits < 31 && (cidr.address === cidr.network || cidr.address === cidr.broadcast)) {
    throw new ConfigError(
      `${key}.ip`,
      `${show(ip)} is the network or broadcast address of its subnet: take one between`,
    );
  }
  if (gateway === undefined) return;
  const via = rethrow(`${key}.gateway`, () => parseAddress(`${gateway}`));
  if (!contains(cidr, via))
    throw new ConfigError(`${key}.gateway`, `${show(gateway)} does not lie in the network of ${ip}`);
  if (via === cidr.address) throw new ConfigError(`${key}.gateway`, `${show(gateway)} is the interface's own address`);
}

function checkImpair(key: string, impair: Readonly<Record<string, unknown>> | undefined): void {
  if (impair === undefined) return;
  if (typeof impair !== 'object' || impair === null || Array.isArray(impair)) {
    throw new ConfigError(
      `${key}.impair`,
      `expected an object such as { delayUs: 5000, lossRate: 0.01 }, got ${show(impair)}`,
    );
  }
  const text = rethrow(`${key}.impair`, () => JSON.stringify(impair));
  if (text.length > MAX_IMPAIR_BYTES) {
    throw new ConfigError(
      `${key}.impair`,
      `${text.length} bytes as JSON: at most ${MAX_IMPAIR_BYTES} fit into xenstore`,
    );
  }
}

function checkImage(image: unknown): void {
  if (image instanceof URL) return;
  if (typeof image === 'string' && image !== '') return;
  if (typeof image === 'object' && image !== null && typeof (image as { main?: unknown }).main === 'function') return;
  throw new ConfigError('image', `expected an URL, a path, or an object with a function "main", got ${show(image)}`);
}

function checkUnique(vifs: readonly ResolvedVif[]): void {
  const seen = new Map<string, number>();
  for (const { mac, index } of vifs) {
    const other = seen.get(mac);
    if (other !== undefined) {
      throw new ConfigError(`vifs[${index}].mac`, `${mac} is the address of vifs[${other}] already: give each its own`);
    }
    seen.set(mac, index);
  }
}

function checkInteger(key: string, value: unknown, min: number, max: number, unit: string): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new ConfigError(key, `${show(value)} is out of range: use a whole number of ${min} to ${max} ${unit}`);
  }
}

function rethrow<T>(key: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new ConfigError(key, error instanceof Error ? error.message : `${error}`);
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}...` : value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

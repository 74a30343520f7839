import { seededRandom } from '@qanat/clock';
import { Impairment, type SeededImpairment } from '@qanat/link';
import type { Image } from '@qanat/os';
import { ConfigError, type DomainConfig as XlDomainConfig, type VifConfig as XlVifConfig } from '@qanat/xen';

/** One network interface of a domain. */
export interface VifConfig extends Omit<XlVifConfig, 'impair'> {
  /** What is wrong with the link to this interface, at the bridge's port. */
  readonly impair?: SeededImpairment;
}

/** A domain: its name, memory, image, network interfaces, and arguments for the image. */
export interface DomainConfig extends Omit<XlDomainConfig<Image>, 'vifs'> {
  readonly vifs?: readonly VifConfig[];
}

/** @returns the configuration as the toolstack takes it. @throws ConfigError for an impossible impairment. */
export function toXlConfig(config: DomainConfig): XlDomainConfig<Image> {
  const { vifs, ...rest } = config;
  if (vifs === undefined) return rest;
  // Whatever is no list of objects is the toolstack's to refuse.
  if (!Array.isArray(vifs)) return { ...rest, vifs: vifs as unknown as readonly XlVifConfig[] };
  return { ...rest, vifs: vifs.map((vif: VifConfig, index) => toXlVif(vif, index)) };
}

function toXlVif(vif: VifConfig, index: number): XlVifConfig {
  const impair = vif?.impair;
  if (typeof impair !== 'object' || impair === null) return vif as XlVifConfig;
  try {
    new Impairment(impair, seededRandom(impair.seed ?? 1));
  } catch (error) {
    throw new ConfigError(`vifs[${index}].impair`, error instanceof Error ? error.message : `${error}`);
  }
  return { ...vif, impair: { ...impair } };
}

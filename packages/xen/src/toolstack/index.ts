export {
  ConfigError,
  DEFAULT_BRIDGE,
  DEFAULT_MEMORY_MIB,
  DEFAULT_MTU,
  DEFAULT_TXQUEUELEN,
  type DomainConfig,
  type ResolvedDomainConfig,
  type ResolvedVif,
  resolveDomainConfig,
  type VifConfig,
} from './config.ts';
export type { DomainExit, DomainStart, LaunchedDomain, Launcher } from './launcher.ts';

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
export type { Domain, DomainHooks, DomainInfo, DomainState } from './domain-entry.ts';
export { watchShutdown } from './guest-shutdown.ts';
export type { DomainExit, DomainStart, LaunchedDomain, Launcher } from './launcher.ts';
export { vifBackendPath, vifFrontendPath } from './nodes.ts';
export { DEFAULT_SHUTDOWN_GRACE_US, type Dom0Args, Toolstack, type ToolstackOptions } from './toolstack.ts';

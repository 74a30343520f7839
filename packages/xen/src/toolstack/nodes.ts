import { PAGE_SHIFT } from '@qanat/bytes';
import type { DomainRecord } from '../domain-record.ts';
import { GNTTAB_RESERVED_CONSOLE, GNTTAB_RESERVED_XENSTORE } from '../grant-layout.ts';
import { XenbusState } from '../xenbus.ts';
import { domainPath } from '../xenstore/path.ts';
import type { Perms } from '../xenstore/perms.ts';
import type { XenstoreTransaction } from '../xenstore/transaction.ts';
import type { ResolvedDomainConfig, ResolvedVif } from './config.ts';

const DOM0 = 0;
/** libxl's limit for the console's log. */
const CONSOLE_LIMIT_BYTES = 1048576;

/** @returns the frontend's directory of a vif. */
export function vifFrontendPath(domid: number, index: number): string {
  return `${domainPath(domid)}/device/vif/${index}`;
}

/** @returns the backend's directory of a vif. */
export function vifBackendPath(domid: number, index: number): string {
  return `${domainPath(DOM0)}/backend/vif/${domid}/${index}`;
}

/** What the toolstack writes about Dom0 itself (`xen-init-dom0`). */
export function writeDom0(tx: XenstoreTransaction, config: ResolvedDomainConfig): void {
  const home = domainPath(DOM0);
  tx.writeAll(home, { name: config.name, domid: DOM0 });
  tx.writeAll(`${home}/memory`, { target: config.memoryMiB * 1024, 'static-max': config.memoryMiB * 1024 });
  tx.mkdir(`${home}/backend/vif`);
  tx.mkdir('/vm');
}

/**
 * The nodes of a new domain, with the permissions that libxl gives them: most are the toolstack's and the domain may
 * read them, some are the domain's own.
 */
export function writeDomain(
  tx: XenstoreTransaction,
  domain: DomainRecord,
  config: ResolvedDomainConfig,
  uuid: string,
  startTimeS: number,
): void {
  const { domid } = domain;
  const home = domainPath(domid);
  const vm = `/vm/${uuid}`;
  const readable: Perms = [
    { access: 'n', domid: DOM0 },
    { access: 'r', domid },
  ];
  const own: Perms = [{ access: 'n', domid }];
  const kib = config.memoryMiB * 1024;

  for (const path of [vm, home]) {
    tx.mkdir(path);
    tx.setPerms(path, readable);
  }
  tx.writeAll(vm, { name: config.name, uuid, start_time: startTimeS });
  tx.writeAll(home, { name: config.name, domid, vm });
  tx.writeAll(`${home}/memory`, { target: kib, 'static-max': kib });
  tx.write(`${home}/cpu/0/availability`, 'online');
  tx.mkdir(`${home}/device`);
  tx.writeAll(`${home}/control`, {
    'platform-feature-multiprocessor-suspend': 1,
    'platform-feature-xs_reset_watches': 1,
  });
  for (const name of ['shutdown', 'feature-poweroff', 'feature-reboot', 'feature-suspend', 'sysrq']) {
    tx.write(`${home}/control/${name}`, '');
    tx.setPerms(`${home}/control/${name}`, own);
  }
  for (const name of ['data', 'drivers', 'feature', 'attr', 'error']) {
    tx.mkdir(`${home}/${name}`);
    tx.setPerms(`${home}/${name}`, own);
  }
  tx.writeAll(`${home}/store`, { port: domain.xenstorePort, 'ring-ref': GNTTAB_RESERVED_XENSTORE });
  tx.writeAll(`${home}/console`, {
    port: domain.consolePort,
    'ring-ref': GNTTAB_RESERVED_CONSOLE,
    backend: `${domainPath(DOM0)}/backend/console/${domid}/0`,
    'backend-id': DOM0,
    limit: CONSOLE_LIMIT_BYTES,
    type: 'xenconsoled',
    output: 'pty',
  });
}

/**
 * Both directories of a vif, as `xl` writes them. Ours beside libxl's: `txqueuelen` and `mtu` for the backend, and
 * `impair`, the options of an impaired link as JSON.
 */
export function writeVif(tx: XenstoreTransaction, domid: number, vif: ResolvedVif): void {
  const { index, mac, mtu, ip, impair } = vif;
  const frontend = vifFrontendPath(domid, index);
  const backend = vifBackendPath(domid, index);
  tx.mkdir(frontend);
  tx.setPerms(frontend, [
    { access: 'n', domid },
    { access: 'r', domid: DOM0 },
  ]);
  tx.mkdir(backend);
  tx.setPerms(backend, [
    { access: 'n', domid: DOM0 },
    { access: 'r', domid },
  ]);
  tx.writeAll(frontend, {
    backend,
    'backend-id': DOM0,
    handle: index,
    mac,
    mtu,
    state: XenbusState.Initialising,
  });
  // The state last: whoever is woken by it finds the rest in place.
  tx.writeAll(backend, {
    frontend,
    'frontend-id': domid,
    online: 1,
    script: '/etc/xen/scripts/vif-bridge',
    vifname: `vif${domid}.${index}`,
    type: 'vif',
    mac,
    ...(ip === undefined ? {} : { ip }),
    bridge: vif.bridge,
    handle: index,
    mtu,
    txqueuelen: vif.txqueuelen,
    ...(impair === undefined ? {} : { impair: JSON.stringify(impair) }),
    state: XenbusState.Initialising,
  });
}

/**
 * Removes all that the toolstack and the backends wrote about a domain. Its backends see their directories go and
 * disconnect: there is no frontend left that could take part in a handshake.
 */
export function removeDomain(tx: XenstoreTransaction, domid: number, vifs: number, uuid: string): void {
  if (vifs > 0) tx.rm(`${domainPath(DOM0)}/backend/vif/${domid}`);
  tx.rm(domainPath(domid));
  tx.rm(`/vm/${uuid}`);
}

/** @returns the frame of a domain's xenstore page, as INTRODUCE wants it. */
export function xenstoreFrame(domain: DomainRecord): number {
  return domain.xenstoreAddr >>> PAGE_SHIFT;
}

import { EEXIST, EINVAL, ENOSPC, ESRCH } from './errno.ts';
import {
  channelDomid,
  channelPort,
  channelState,
  DOMID_SELF,
  EVTCHNSTAT_CLOSED,
  EVTCHNSTAT_INTERDOMAIN,
  EVTCHNSTAT_UNBOUND,
  EVTCHNSTAT_VIRQ,
  NR_VIRQS,
  packChannel,
} from './event-channel-layout.ts';
import type { EventDelivery } from './event-delivery.ts';
import { DOM_CHANNELS, DOM_VIRQ_PORT, MACHINE_ADDR, MACHINE_EVENT_LOCK } from './machine-layout.ts';
import type { MachineState } from './machine-state.ts';
import { EVTCHN_PORTS } from './shared-info.ts';
import { acquireLock, releaseLock } from './spin-lock.ts';

const LOCK = (MACHINE_ADDR + MACHINE_EVENT_LOCK) >>> 2;

/** What EVTCHNOP_status tells of a port. */
export interface EventChannelStatus {
  /** EVTCHNSTAT_*. */
  readonly status: number;
  /** The other domain of an unbound or interdomain channel, else -1. */
  readonly remoteDomid: number;
  /** The other end of an interdomain channel, else 0. */
  readonly remotePort: number;
  /** The VIRQ of a virq channel, else -1. */
  readonly virq: number;
}

/** The table of ports of every domain: binding and closing, under one lock. Sending reads a port in one load. */
export class EventChannels {
  readonly #state: MachineState;
  readonly #i32: Int32Array;
  readonly #delivery: EventDelivery;

  constructor(state: MachineState, delivery: EventDelivery) {
    this.#state = state;
    this.#i32 = state.i32;
    this.#delivery = delivery;
  }

  /** @returns the new port, or -ENOSPC. */
  allocUnbound(domid: number, remoteDomid: number): number {
    const remote = remoteDomid === DOMID_SELF ? domid : remoteDomid;
    const record = this.#state.aliveRecord(domid);
    if (record === 0 || this.#state.recordAddr(remote) === 0) return -ESRCH;
    this.#lock(domid);
    const port = this.#freePort(record);
    if (port > 0) this.#set(record, port, packChannel(EVTCHNSTAT_UNBOUND, remote, 0));
    this.#unlock();
    return port;
  }

  /** @returns the new local port; -ESRCH no such domain, -EINVAL port not offered to us, -ENOSPC. */
  bindInterdomain(domid: number, remoteDomid: number, remotePort: number): number {
    const remote = remoteDomid === DOMID_SELF ? domid : remoteDomid;
    const record = this.#state.aliveRecord(domid);
    const remoteRecord = this.#state.aliveRecord(remote);
    if (record === 0 || remoteRecord === 0) return -ESRCH;
    this.#lock(domid);
    let port = this.#freePort(record);
    if (port > 0) {
      const offered = isPort(remotePort) ? this.#get(remoteRecord, remotePort) : 0;
      if (channelState(offered) !== EVTCHNSTAT_UNBOUND || channelDomid(offered) !== domid) {
        port = -EINVAL;
      } else {
        this.#set(record, port, packChannel(EVTCHNSTAT_INTERDOMAIN, remote, remotePort));
        this.#set(remoteRecord, remotePort, packChannel(EVTCHNSTAT_INTERDOMAIN, domid, port));
      }
    }
    this.#unlock();
    // Makes up for what the other side has sent while the channel was unbound.
    if (port > 0) this.#delivery.setPending(record, port);
    return port;
  }

  /** @returns the new port; -EINVAL no such VIRQ, -EEXIST already bound, -ENOSPC. */
  bindVirq(domid: number, virq: number): number {
    const record = this.#state.aliveRecord(domid);
    if (record === 0) return -ESRCH;
    if (!(virq >= 0 && virq < NR_VIRQS)) return -EINVAL;
    this.#lock(domid);
    const virqIndex = ((record + DOM_VIRQ_PORT) >>> 2) + virq;
    let port = -EEXIST;
    if (Atomics.load(this.#i32, virqIndex) === 0) {
      port = this.#freePort(record);
      if (port > 0) {
        this.#set(record, port, packChannel(EVTCHNSTAT_VIRQ, 0, virq));
        Atomics.store(this.#i32, virqIndex, port);
      }
    }
    this.#unlock();
    return port;
  }

  /** @returns 0; -EINVAL when the port is not open. */
  close(domid: number, port: number): number {
    const record = this.#state.recordAddr(domid);
    if (record === 0) return -ESRCH;
    if (!isPort(port)) return -EINVAL;
    this.#lock(domid);
    const word = this.#get(record, port);
    const state = channelState(word);
    let rc = 0;
    if (state === EVTCHNSTAT_CLOSED) {
      rc = -EINVAL;
    } else {
      if (state === EVTCHNSTAT_INTERDOMAIN) {
        const peer = channelDomid(word);
        // A channel of a domain to itself: the other end stays, unbound.
        this.#set(this.#state.recordAddr(peer), channelPort(word), packChannel(EVTCHNSTAT_UNBOUND, domid, 0));
      } else if (state === EVTCHNSTAT_VIRQ) {
        Atomics.store(this.#i32, ((record + DOM_VIRQ_PORT) >>> 2) + channelPort(word), 0);
      }
      this.#set(record, port, 0);
      this.#delivery.clearPending(record, port);
    }
    this.#unlock();
    return rc;
  }

  /** Closes whatever a domain has open. */
  closeAll(domid: number): void {
    const record = this.#state.recordAddr(domid);
    for (let port = 1; port < EVTCHN_PORTS; port++) {
      if (this.#get(record, port) !== 0) this.close(domid, port);
    }
  }

  /** EVTCHNOP_status. @returns undefined where there is no such port. */
  status(domid: number, port: number): EventChannelStatus | undefined {
    const record = this.#state.recordAddr(domid);
    if (record === 0 || !(port >= 0 && port < EVTCHN_PORTS)) return undefined;
    const word = this.#get(record, port);
    const status = channelState(word);
    return {
      status,
      remoteDomid: status === EVTCHNSTAT_UNBOUND || status === EVTCHNSTAT_INTERDOMAIN ? channelDomid(word) : -1,
      remotePort: status === EVTCHNSTAT_INTERDOMAIN ? channelPort(word) : 0,
      virq: status === EVTCHNSTAT_VIRQ ? channelPort(word) : -1,
    };
  }

  /** Raises a VIRQ. @returns whether the domain has bound it. */
  sendVirq(domid: number, virq: number): boolean {
    const record = this.#state.aliveRecord(domid);
    if (record === 0 || !(virq >= 0 && virq < NR_VIRQS)) return false;
    const port = Atomics.load(this.#i32, ((record + DOM_VIRQ_PORT) >>> 2) + virq);
    if (port === 0) return false;
    this.#delivery.setPending(record, port);
    return true;
  }

  /** The lowest free port from 1 on, or -ENOSPC. */
  #freePort(record: number): number {
    const base = this.#i32[(record + DOM_CHANNELS) >>> 2]! >>> 2;
    for (let port = 1; port < EVTCHN_PORTS; port++) {
      if (this.#i32[base + port] === 0) return port;
    }
    return -ENOSPC;
  }

  #get(record: number, port: number): number {
    return Atomics.load(this.#i32, (this.#i32[(record + DOM_CHANNELS) >>> 2]! >>> 2) + port);
  }

  #set(record: number, port: number, word: number): void {
    Atomics.store(this.#i32, (this.#i32[(record + DOM_CHANNELS) >>> 2]! >>> 2) + port, word);
  }

  #lock(domid: number): void {
    acquireLock(this.#i32, LOCK, domid + 1);
    if (this.#state.step !== undefined) this.#state.step('event-lock');
  }

  #unlock(): void {
    releaseLock(this.#i32, LOCK);
  }
}

function isPort(port: number): boolean {
  return port > 0 && port < EVTCHN_PORTS;
}

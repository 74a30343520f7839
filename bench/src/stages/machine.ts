import { Memory, PAGE_SIZE } from '@qanat/bytes';
import { GrantTable } from '@qanat/os';
import {
  BackRing,
  FrontRing,
  Hypercalls,
  Hypervisor,
  NETIF_TX_SLOT_BYTES,
  TX_REQ_GREF,
  TX_REQ_ID,
  TX_REQ_OFFSET,
  TX_RSP_ID,
} from '@qanat/xen';
import { measure, type StageGroup, sink } from './stage.ts';
import { wakeUpNs } from './wake-up.ts';

const SMALL = 1460;
const LARGE = 65_536;
const BATCH = 64;

/** Rings, grants and events of the machine, each alone; both sides run in this thread. */
export async function machineStages(): Promise<StageGroup> {
  const memory = Memory.create({ bytes: 32 << 20, shared: true });
  const hypervisor = Hypervisor.create(memory, { clockOriginUs: 0 });
  const [dom0, a, b] = ['Domain-0', 'a', 'b'].map((name) => {
    const domid = hypervisor.createDomain({ name, bytes: 4 << 20 });
    const record = hypervisor.domain(domid)!;
    const hypercalls = new Hypercalls(hypervisor, domid);
    return { domid, record, hypercalls, grants: new GrantTable(memory, record.grantTableAddr, record.grantEntries) };
  }) as [TestDomain, TestDomain, TestDomain];
  const pages = LARGE / PAGE_SIZE;
  const grantAll = ({ grants, record }: TestDomain): number[] =>
    Array.from({ length: pages }, (_, i) => grants.grantAccess(dom0.domid, record.firstAddr + i * PAGE_SIZE, false));
  const [from, to] = [grantAll(a), grantAll(b)];
  const { hypercalls } = dom0;
  const copySmall = (times: number): void => {
    for (let done = 0; done < times; done += BATCH) {
      hypercalls.grantCopyBegin();
      for (let i = 0; i < BATCH; i++) {
        const page = i % pages;
        sink.value += hypercalls.grantCopyAcross(a.domid, from[page]!, 0, b.domid, to[page]!, 0, SMALL);
      }
      hypercalls.grantCopyEnd();
    }
  };
  const copyLarge = (times: number): void => {
    for (let done = 0; done < times; done++) {
      hypercalls.grantCopyBegin();
      for (let i = 0; i < pages; i++) {
        sink.value += hypercalls.grantCopyAcross(a.domid, from[i]!, 0, b.domid, to[i]!, 0, PAGE_SIZE);
      }
      hypercalls.grantCopyEnd();
    }
  };
  const grantAndEnd = (times: number): void => {
    for (let i = 0; i < times; i++) a.grants.endAccess(a.grants.grantAccess(0, a.record.firstAddr, false));
  };
  const port = dom0.hypercalls.evtchnAllocUnbound(a.domid);
  a.hypercalls.evtchnBindInterdomain(dom0.domid, port);
  const send = (times: number): void => {
    for (let i = 0; i < times; i++) sink.value += dom0.hypercalls.evtchnSend(port);
  };
  const ringAddr = a.record.firstAddr + (2 << 20);
  const wakeNs = await wakeUpNs();
  const single = (stage: string, smallNs: number) => ({ stage, smallNs, largeNs: null });
  return {
    title: 'the machine',
    stages: [
      single(`TX ring: request and response, both sides (batches of ${BATCH})`, measure(ring(memory, ringAddr))),
      { stage: 'grant copy between two domains', smallNs: measure(copySmall), largeNs: measure(copyLarge) },
      single('access granted and taken back', measure(grantAndEnd)),
      single('event sent, already pending', measure(send)),
      single('a sleeping thread woken (half a round trip of Atomics.wait and notify)', wakeNs),
    ],
  };
}

interface TestDomain {
  readonly domid: number;
  readonly record: NonNullable<ReturnType<Hypervisor['domain']>>;
  readonly hypercalls: Hypercalls;
  readonly grants: GrantTable;
}

/** Requests written and published, read, answered, and the answers read. */
function ring(memory: Memory, addr: number): (times: number) => void {
  const { u16, u32 } = memory;
  const front = new FrontRing(memory, addr, NETIF_TX_SLOT_BYTES);
  const back = new BackRing(memory, addr, NETIF_TX_SLOT_BYTES);
  return (times) => {
    for (let done = 0; done < times; done += BATCH) {
      for (let i = 0; i < BATCH; i++) {
        const slot = front.nextRequest();
        u32[(slot + TX_REQ_GREF) >>> 2] = i;
        u32[(slot + TX_REQ_OFFSET) >>> 2] = 128;
        u32[(slot + TX_REQ_ID) >>> 2] = (1514 << 16) | i;
      }
      if (front.pushRequestsAndCheckNotify()) sink.value++;
      for (let left = back.unconsumedRequests(); left > 0; left--) {
        const slot = back.nextRequest();
        sink.value += u32[(slot + TX_REQ_GREF) >>> 2]! + u32[(slot + TX_REQ_OFFSET) >>> 2]!;
        const id = u32[(slot + TX_REQ_ID) >>> 2]! & 0xffff;
        const answer = back.nextResponse();
        u32[(answer + TX_RSP_ID) >>> 2] = id;
      }
      if (back.pushResponsesAndCheckNotify()) sink.value++;
      for (let left = front.unconsumedResponses(); left > 0; left--) {
        sink.value += u16[(front.nextResponse() + TX_RSP_ID) >>> 1]!;
      }
    }
  };
}

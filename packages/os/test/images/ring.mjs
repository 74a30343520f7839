// Both ends of a ring between two threads. The frontend sends numbered requests in bursts of changing size, as room
// allows; the backend checks the numbers and answers. Both sleep on the ring's events alone.
import { BackRing, FrontRing } from '@qanat/xen';

const SLOT_BYTES = 8;

export function main(kernel) {
  if (kernel.args.end === 'front') front(kernel);
  else back(kernel);
}

function front(kernel) {
  const { count } = kernel.args;
  const { memory, hypercalls, random } = kernel;
  const addr = kernel.pages.alloc();
  const ring = FrontRing.init(memory, addr, SLOT_BYTES, 64, kernel.args.startIndex);
  const port = hypercalls.evtchnAllocUnbound(2);
  let sent = 0;
  let answered = 0;
  let fullWaits = 0;
  const pump = () => {
    do {
      while (ring.unconsumedResponses() > 0) {
        if (memory.u32[(ring.nextResponse() + 4) >>> 2] !== answered++) throw new Error(`answer ${answered} is wrong`);
      }
      let burst = 1 + (random.u32() % 64);
      while (sent < count && burst-- > 0 && ring.freeRequests() > 0) {
        memory.u32[(ring.nextRequest() + 4) >>> 2] = sent++;
      }
      if (ring.freeRequests() === 0) fullWaits++;
      if (ring.pushRequestsAndCheckNotify()) hypercalls.evtchnSend(port);
      if (answered === count) {
        kernel.post({ fullWaits, stats: kernel.stats() });
        kernel.exit(0);
        return;
      }
      // A burst that ended early goes on in a later pass.
      if (sent < count && ring.freeRequests() > 0) kernel.loop.defer(pump);
    } while (ring.finalCheckForResponses());
  };
  kernel.activations.bind(port, pump);
  kernel.loop.addAudit('ring', () => ring.sleepFault());
  kernel.post({ port, addr });
}

function back(kernel) {
  const { memory, hypercalls } = kernel;
  kernel.onHostMessage = ({ port, addr }) => {
    const ring = new BackRing(memory, addr, SLOT_BYTES, 64, kernel.args.startIndex);
    const own = hypercalls.evtchnBindInterdomain(1, port);
    let seen = 0;
    kernel.loop.addAudit('ring', () => ring.sleepFault());
    kernel.activations.bind(own, () => {
      do {
        if (ring.requestOverflow()) throw new Error('too many requests');
        for (let left = ring.unconsumedRequests(); left > 0; left--) {
          const value = memory.u32[(ring.nextRequest() + 4) >>> 2];
          if (value !== seen) throw new Error(`request ${seen} holds ${value}`);
          seen++;
          memory.u32[(ring.nextResponse() + 4) >>> 2] = value;
        }
        if (ring.pushResponsesAndCheckNotify()) hypercalls.evtchnSend(own);
      } while (ring.finalCheckForRequests());
      if (seen === kernel.args.count) kernel.exit(0);
    });
    hypercalls.evtchnSend(own);
  };
}

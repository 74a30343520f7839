// Does what its argument says.
import { readFileSync } from 'node:fs';
import { Timer } from '@qanat/clock';

/** Posts the faults of sleeps that an observer is told of. */
function watchFaults(kernel) {
  const watched = { sleeps: () => {}, wakes: () => {} };
  kernel.watched.observer = { ...watched, sleepFault: (_nowUs, fault) => kernel.post(fault) };
}

export async function main(kernel) {
  switch (kernel.args.mood) {
    case 'exit':
      kernel.exit(kernel.args.code);
      return;
    case 'cpus':
      kernel.post(/Cpus_allowed_list:\s*(.*)/.exec(readFileSync('/proc/thread-self/status', 'latin1'))[1]);
      kernel.exit(0);
      return;
    case 'throw-in-main':
      throw new RangeError('main broke');
    case 'throw-in-loop':
      kernel.loop.defer(() => {
        throw new RangeError('loop broke');
      });
      return;
    case 'reject':
      Promise.reject(new TypeError('nobody listened'));
      return;
    case 'sleep':
      kernel.post('asleep');
      return;
    case 'busy': {
      const again = () => kernel.loop.defer(again);
      again();
      kernel.post('busy');
      return;
    }
    case 'echo':
      kernel.onHostMessage = (message) => (message === 'end' ? kernel.exit(0) : kernel.post({ echo: message }));
      if (kernel.args.busy) {
        const again = () => kernel.loop.defer(again);
        again();
      }
      kernel.post('ready');
      return;
    case 'promises': {
      let ticks = 0;
      for (let i = 0; i < 20; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        await new Promise((resolve) => kernel.loop.defer(resolve));
        ticks++;
      }
      kernel.exit(ticks);
      return;
    }
    case 'timers': {
      // Sleeps until its own deadlines, three times.
      const startUs = kernel.clock.now();
      let left = 3;
      const timer = new Timer((nowUs) => {
        if (--left > 0) kernel.loop.timers.arm(timer, nowUs + 5000);
        else {
          kernel.post(nowUs - startUs);
          kernel.exit(0);
        }
      });
      kernel.loop.timers.arm(timer, startUs + 5000);
      return;
    }
    case 'audit':
      watchFaults(kernel);
      kernel.loop.addAudit('ring', () => '3 unread requests');
      return;
    case 'suspect': {
      // As when a peer has published and not notified yet: the next look finds nothing.
      let looks = 0;
      watchFaults(kernel);
      kernel.loop.addAudit('ring', () => (looks++ === 0 ? '3 unread requests' : undefined));
      kernel.loop.timers.arm(new Timer(() => kernel.exit(looks)), kernel.clock.now() + 20_000);
      return;
    }
    case 'console':
      for (let i = 0; i < 10; i++) kernel.console.write(`line ${i}\n`);
      kernel.post(kernel.pages.freePages * 4096 === kernel.domain.bytes);
      kernel.exit(0);
      return;
    default:
      throw new Error(`no mood ${kernel.args.mood}`);
  }
}

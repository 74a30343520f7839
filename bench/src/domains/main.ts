/**
 * One run between two domains, each a thread: `node main.js ping-pong|connections SECONDS WARM_UP_SECONDS [CPUS]` prints its
 * figures as JSON. The CPUs, as in `0,0,1`, are those of the host that Dom0, the server and the client are kept to.
 */
import { createMachine, type DomainHandle } from 'qanat';
import type { Figures } from '../case.ts';
import { CLIENT_IP, type DomainArgs, type DomainPost, type Mode, SERVER_IP } from './protocol.ts';

const PORTS = 64;

const [mode, seconds, warmUpSeconds] = [process.argv[2] as Mode, Number(process.argv[3]), Number(process.argv[4])];
if (!((mode === 'ping-pong' || mode === 'connections') && seconds > 0 && warmUpSeconds >= 0)) {
  throw new Error('usage: main.js ping-pong|connections SECONDS WARM_UP_SECONDS');
}
const [dom0Affinity, ...affinity] = process.argv[5] === undefined ? [] : process.argv[5].split(',').map(Number);
const args: DomainArgs = { mode, seconds, warmUpSeconds, ports: mode === 'ping-pong' ? 1 : PORTS };

const machine = await createMachine({ memoryMiB: 768, dom0Affinity });
machine.onError = (message) => {
  throw new Error(`Dom0: ${message}`);
};
const domains: DomainHandle[] = [];
let figures: Figures | undefined;
const receive = (message: DomainPost): void => {
  if (message.type === 'ready') domains[1]!.post('go');
  else {
    figures = message.figures;
    for (const domain of domains) domain.post('exit');
  }
};
for (const [name, ip, cpu] of [
  ['server', SERVER_IP, affinity[0]],
  ['client', CLIENT_IP, affinity[1]],
] as const) {
  const image = new URL(`./${name}.js`, import.meta.url);
  const vifs = [{ bridge: 'xenbr0', ip: `${ip}/24` }];
  domains.push(await machine.create({ name, image, memoryMiB: 256, affinity: cpu, vifs, args }));
}
for (const domain of domains) domain.onMessage = (message) => receive(message as DomainPost);
const exits = await machine.run();
await machine.close();
const failed = exits.find(({ error }) => error !== undefined);
if (failed?.error) throw failed.error;
if (figures === undefined) throw new Error('the domains ended without figures');
process.stdout.write(`${JSON.stringify(figures)}\n`);

/**
 * One run of a case with two stacks on a pipe, in a process of its own so that each run compiles and collects for
 * itself: `node main.js CASE name=value...`; prints the figures as JSON.
 */
import type { Figures } from '../case.ts';
import { pipeBulk } from './bulk.ts';
import { pipeConnections } from './connections.ts';
import { pipeGrowth } from './growth.ts';
import { pipeIdle } from './idle.ts';
import { pipePingPong } from './ping-pong.ts';

const [name = '', ...pairs] = process.argv.slice(2);
const values = new Map(pairs.map((pair) => pair.split('=') as [string, string]));

function number(key: string, fallback: number): number {
  const value = Number(values.get(key) ?? fallback);
  if (!(value >= 0)) throw new Error(`${key}=${values.get(key)}: not a number`);
  return value;
}

function run(): Figures {
  const seconds = number('seconds', 2);
  const warmUpSeconds = number('warmUp', 1);
  switch (name) {
    case 'bulk':
      return pipeBulk({
        seconds,
        warmUpSeconds,
        flows: number('flows', 1),
        writeBytes: number('write', 65_536),
        idleConnections: number('idle', 0),
        mtu: number('mtu', 1500),
      });
    case 'ping-pong':
      return pipePingPong(seconds, warmUpSeconds);
    case 'connections':
      return pipeConnections(seconds, warmUpSeconds);
    case 'idle':
      return pipeIdle(number('connections', 100_000));
    case 'growth':
      return pipeGrowth(seconds, warmUpSeconds, number('connections', 1));
    default:
      throw new Error(`no case '${name}': bulk, ping-pong, connections, idle, growth`);
  }
}

process.stdout.write(`${JSON.stringify(run())}\n`);

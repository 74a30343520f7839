import { UnsupportedError } from '../errors.ts';
import type { Effect } from './effects.ts';
import { brief, type SimpleCommand, splitCommands } from './words.ts';

type Handler = (command: SimpleCommand, words: readonly string[]) => readonly Effect[];

/** Commands that look, print or tidy up: they succeed and change nothing that a script could see. */
const HARMLESS: readonly string[] = [
  ':',
  '[',
  'cat',
  'date',
  'egrep',
  'export',
  'false',
  'grep',
  'head',
  'ls',
  'modprobe',
  'netstat',
  'nstat',
  'printf',
  'rm',
  'set',
  'ss',
  'sync',
  'tail',
  'test',
  'touch',
  'true',
  'uname',
  'wc',
];

const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['defaults.sh', () => [{ kind: 'defaults' }]],
  ['set_sysctls.py', setSysctls],
  ['sysctl', sysctl],
  ['echo', echo],
  ['sleep', sleep],
  ['dd', dd],
  ['ip', ip],
  ['ifconfig', ifconfig],
  ['tc', tc],
  ['ethtool', ethtool],
]);

/**
 * What a back-quoted command of a script does, from a table: no shell runs.
 * @throws UnsupportedError for a command that is not in the table, or does what this machine cannot.
 */
export function commandEffects(text: string): Effect[] {
  return splitCommands(text).flatMap((command) => (command.onlyAfterFailure ? [] : [...effectsOf(command)]));
}

function effectsOf(command: SimpleCommand): readonly Effect[] {
  const words = command.words.filter((word, i) => !(i === 0 && word === 'sudo'));
  const name = (words[0] ?? '').replace(/^.*\//, '');
  if (/^sysctl_restore.*\.sh$/.test(name)) return [{ kind: 'restore' }];
  if ((name === 'sh' || name === 'bash') && words[1] && !words[1].startsWith('-')) {
    return effectsOf({ ...command, words: words.slice(1) });
  }
  const handler = HANDLERS.get(name);
  if (handler) return handler(command, words.slice(1));
  if (HARMLESS.includes(name)) return [];
  throw unknown(command);
}

function unknown(command: SimpleCommand): UnsupportedError {
  return new UnsupportedError(`the command \`${brief(command.words.join(' '))}\` is not known`);
}

/** `net.ipv4.tcp_x`, `net/ipv4/tcp_x` and `/proc/sys/net/ipv4/tcp_x` as `ipv4.tcp_x`; others with their first part. */
function sysctlName(name: string): string {
  return name
    .replace(/^\/proc\/sys\//, '')
    .replaceAll('/', '.')
    .replace(/^net\./, '');
}

function assignment(command: SimpleCommand, word: string): Effect {
  const equals = word.indexOf('=');
  if (equals < 0 || word.includes('$')) throw unknown(command);
  const value = word
    .slice(equals + 1)
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/^(["'])(.*)\1$/, '$2');
  return { kind: 'sysctl', name: sysctlName(word.slice(0, equals).trim()), value };
}

function setSysctls(command: SimpleCommand, words: readonly string[]): Effect[] {
  return words.map((word) => assignment(command, word));
}

function sysctl(command: SimpleCommand, words: readonly string[]): Effect[] {
  return words.filter((word) => !word.startsWith('-') && word.includes('=')).map((word) => assignment(command, word));
}

function echo(command: SimpleCommand, words: readonly string[]): Effect[] {
  const { output } = command;
  if (output === undefined || output === '/dev/null' || output === '/dev/stderr') return [];
  const value = words.filter((word) => word !== '-n').join(' ');
  if (output.startsWith('/proc/sys/')) return [{ kind: 'sysctl', name: sysctlName(output), value }];
  const parameter = /^\/sys\/module\/(\w+)\/parameters\/(\w+)$/.exec(output);
  if (parameter) return [{ kind: 'parameter', module: parameter[1]!, name: parameter[2]!, value }];
  throw unknown(command);
}

function sleep(command: SimpleCommand, words: readonly string[]): Effect[] {
  const seconds = Number(words[0]?.replace(/s$/, ''));
  if (!(seconds >= 0 && seconds <= 1e6)) throw unknown(command);
  return [{ kind: 'sleep', us: Math.round(seconds * 1e6) }];
}

const UNITS: Readonly<Record<string, number>> = { '': 1, c: 1, k: 1024, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

function dd(command: SimpleCommand, words: readonly string[]): Effect[] {
  const operands = new Map(words.map((word) => word.split('=') as [string, string]));
  const size = (text: string): number => {
    const match = /^(\d+)([ckKMG]?)$/.exec(text);
    return match ? Number(match[1]) * UNITS[match[2]!]! : Number.NaN;
  };
  const bytes = size(operands.get('bs') ?? '512') * size(operands.get('count') ?? '');
  const path = operands.get('of');
  if (path === undefined || !(bytes >= 0 && bytes <= 2 ** 30)) throw unknown(command);
  return [{ kind: 'file', path, bytes }];
}

const ROUTE_ATTRIBUTES: readonly string[] = [
  'advmss',
  'mtu',
  'initcwnd',
  'initrwnd',
  'rto_min',
  'quickack',
  'features',
  'congctl',
  'cwnd',
  'ssthresh',
  'rtt',
];

function ip(command: SimpleCommand, words: readonly string[]): Effect[] {
  const [object, verb] = words.filter((word) => !/^-\d?/.test(word));
  if (object === 'tcp_metrics' || object === 'tcpmetrics') return [];
  if (verb === undefined || /^(show|list|ls|get|flush)$/.test(verb)) return [];
  if (object === 'link' && verb === 'set') return linkMtu(command, words);
  if (object !== 'route' || !/^(add|change|replace|chg|append)$/.test(verb)) throw unknown(command);
  const attributes = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const name = words[i]!;
    if (!ROUTE_ATTRIBUTES.includes(name)) continue;
    const locked = words[i + 1] === 'lock';
    if (locked) i++;
    attributes.set(locked ? `${name} lock` : name, words[++i] ?? '');
  }
  return [{ kind: 'route', attributes }];
}

function linkMtu(command: SimpleCommand, words: readonly string[]): Effect[] {
  const at = words.indexOf('mtu');
  if (at >= 0 && Number(words[at + 1]) >= 68) return [{ kind: 'mtu', bytes: Number(words[at + 1]) }];
  if (words.includes('up') || words.includes('txqueuelen') || words.includes('gso_max_size')) return [];
  throw unknown(command);
}

function ifconfig(command: SimpleCommand, words: readonly string[]): Effect[] {
  return words.length < 2 ? [] : linkMtu(command, words);
}

function tc(command: SimpleCommand, words: readonly string[]): Effect[] {
  const rest = words.filter((word) => !word.startsWith('-'));
  if (rest[0] !== 'qdisc' || rest[1] === undefined) throw unknown(command);
  if (/^(show|list|ls)$/.test(rest[1])) return [];
  if (/^(del|delete)$/.test(rest[1])) return [{ kind: 'qdisc', name: 'fifo' }];
  if (!/^(add|replace|change)$/.test(rest[1])) throw unknown(command);
  if (rest.includes('fq')) return [{ kind: 'qdisc', name: 'fq' }];
  if (!rest.some((word) => /^([pb]fifo|pfifo_fast|noqueue)$/.test(word))) throw unknown(command);
  const limit = rest.indexOf('limit');
  return [{ kind: 'qdisc', name: limit >= 0 && rest[limit + 1] === '0' ? 'refuse' : 'fifo' }];
}

function ethtool(command: SimpleCommand, words: readonly string[]): Effect[] {
  if (words[0] !== '-K') {
    if (/^-[a-z]$/.test(words[0] ?? '')) return [];
    throw unknown(command);
  }
  const effects: Effect[] = [];
  for (let i = 2; i + 1 < words.length; i += 2) {
    if (/^(tso|gso|tcp-segmentation-offload|generic-segmentation-offload)$/.test(words[i]!)) {
      effects.push({ kind: 'offload', on: words[i + 1] === 'on' });
    }
  }
  return effects;
}

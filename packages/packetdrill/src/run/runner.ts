import { NEVER } from '@qanat/clock';
import { parseAddress } from '@qanat/ipv4';
import type { CodeAction, CommandAction, PacketAction, Script, ScriptEvent, SyscallAction, TcpBody } from '../ast.ts';
import { CodeError, type Statement, type Value } from '../code/ast.ts';
import { AssertionFailure, runCode } from '../code/evaluate.ts';
import { CODE_CONSTANTS, CONSTANTS } from '../constants.ts';
import { ScriptFailure, UnsupportedError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Address } from '../host/system-calls.ts';
import { continues, merge } from '../packet/aggregate.ts';
import { comparePacket } from '../packet/compare.ts';
import { type LivePacket, PROTOCOL_TCP, PROTOCOL_UDP } from '../packet/decode.ts';
import { describeAction, describeLive } from '../packet/describe.ts';
import { EncodeError, encodeInbound } from '../packet/encode.ts';
import type { ConnectionMap } from '../packet/mapping.ts';
import type { Effect } from '../shell/effects.ts';
import { Connections } from './connections.ts';
import type { RunConfig } from './options.ts';
import { RunningCall } from './pending.ts';
import { type CallContext, compareOutcome, describeOutcome, prepareCall } from './syscalls.ts';
import { errorUs, type Schedule, seconds, Timeline } from './timeline.ts';
import { ArgumentError, numberOf } from './values.ts';

/** A call on a blocking descriptor may wait this long where the script does not say how long. */
const BLOCKING_CAP_US = 60_000_000;
/** The next call, and the end of the script, wait this long for one that blocks. */
const PENDING_CAP_US = 1_000_000;
/** What an unmapped descriptor of a script becomes: the machine answers EBADF. */
const UNKNOWN_FD = 1_000_000;
const SOCK_TYPE_MASK = 0xf;
const AF_INET = CONSTANTS['AF_INET'] ?? 2;

/** Everything of a script that is worked out before it runs, so that what is missing is known before anything happens. */
export interface PreparedScript {
  readonly script: Script;
  readonly code: ReadonlyMap<CodeAction, readonly Statement[]>;
  readonly commands: ReadonlyMap<CommandAction, readonly Effect[]>;
}

export interface RunReport {
  readonly warnings: string[];
  readonly pshDiffers: number[];
  readonly timings: { line: number; errorUs: number }[];
  readonly output: string[];
}

/** Runs the events of one script against one machine, on its virtual time. Made for one run. */
export class Runner {
  readonly report: RunReport = { warnings: [], pshDiffers: [], timings: [], output: [] };
  readonly #prepared: PreparedScript;
  readonly #config: RunConfig;
  readonly #host: Host;
  readonly #connections: Connections;
  readonly #timeline: Timeline;
  readonly #calls: CallContext;
  readonly #variables = new Map<string, Value>();
  readonly #fds = new Map<number, number>();
  #startUs = 0;
  #pending: RunningCall | undefined;

  constructor(prepared: PreparedScript, config: RunConfig, host: Host) {
    this.#prepared = prepared;
    this.#config = config;
    this.#host = host;
    this.#connections = new Connections(host);
    this.#timeline = new Timeline(config.toleranceUs, config.tolerancePart);
    const local: Address = { family: AF_INET, address: host.localAddress, port: config.bindPort };
    const remote: Address = { family: AF_INET, address: host.remoteAddress, port: config.connectPort };
    this.#calls = {
      calls: host.calls,
      liveFd: (fd) => this.#fds.get(fd) ?? UNKNOWN_FD + fd,
      bindAddress: local,
      connectAddress: remote,
      parseAddress,
    };
  }

  /** @throws ScriptFailure when something did not come as expected. @throws UnsupportedError to skip the script. */
  run(): void {
    const { script, commands } = this.#prepared;
    if (script.init) for (const effect of commands.get(script.init) ?? []) this.#host.apply(effect);
    this.#startUs = this.#host.nowUs;
    for (const event of script.events) {
      try {
        this.#event(event);
      } catch (error) {
        throw this.#located(error, event.position.line);
      }
    }
    this.#awaitPending(this.#nowUs);
  }

  get #nowUs(): number {
    return this.#host.nowUs - this.#startUs;
  }

  #located(error: unknown, line: number): unknown {
    if (error instanceof ArgumentError || error instanceof EncodeError) return new ScriptFailure(line, error.message);
    return error;
  }

  #event(event: ScriptEvent): void {
    const { action } = event;
    const inbound = action.kind === 'packet' && action.direction === 'inbound';
    const schedule = this.#timeline.next(event.time, this.#nowUs, inbound);
    if (action.kind === 'packet' && action.direction === 'outbound') {
      this.#outbound(event, action, schedule);
      return;
    }
    if (action.kind === 'syscall') this.#awaitPending(schedule.fromUs ?? 0);
    this.#waitUntil(event, schedule);
    switch (action.kind) {
      case 'packet':
        this.#inbound(action);
        break;
      case 'syscall':
        this.#syscall(event, action, schedule);
        break;
      case 'code':
        this.#code(event, action);
        break;
      case 'command':
        for (const effect of this.#prepared.commands.get(action) ?? []) this.#host.apply(effect);
        break;
    }
  }

  // --- Time ------------------------------------------------------------------------------------------------------

  /** Moves time on to `us` of the script, timers first at equal times; stops early when `until` says so. */
  #advance(us: number, until: () => boolean = () => false): void {
    const target = this.#startUs + us;
    for (;;) {
      this.#pollPending();
      if (until()) return;
      const next = Math.min(this.#host.nextDeadlineUs(), this.#pendingDeadline());
      if (next > target) break;
      this.#host.advanceTo(Math.max(next, this.#host.nowUs));
    }
    if (target > this.#host.nowUs) this.#host.advanceTo(target);
    this.#pollPending();
  }

  #pendingDeadline(): number {
    const pending = this.#pending;
    return pending && !pending.outcome && pending.deadlineUs > this.#host.nowUs ? pending.deadlineUs : NEVER;
  }

  #waitUntil(event: ScriptEvent, schedule: Schedule): void {
    this.#advance(schedule.fromUs ?? 0);
    const late = errorUs(schedule, this.#nowUs);
    if (Math.abs(late) > schedule.toleranceUs) {
      throw new ScriptFailure(
        event.position.line,
        `this event is late: an earlier one took until ${seconds(this.#nowUs)}`,
        `${seconds(schedule.fromUs ?? 0)} s`,
        `${seconds(this.#nowUs)} s`,
      );
    }
  }

  // --- Packets ---------------------------------------------------------------------------------------------------

  #inbound(action: PacketAction): void {
    const map = this.#connections.inbound(action, this.#config.bindPort, this.#config.connectPort);
    const { localAddress, remoteAddress } = this.#host;
    const endpoints = { localAddress, remoteAddress, localPort: map.localPort, remotePort: map.remotePort };
    const options = { scaledEcr: this.#config.scaledEcr, protocol: map.protocol };
    const packet = encodeInbound(action, map, endpoints, options);
    const gsoSize = packet.length > this.#config.host.mtu ? this.#config.mss : 0;
    this.#host.inject(packet, gsoSize);
    this.#pollPending();
  }

  #outbound(event: ScriptEvent, action: PacketAction, schedule: Schedule): void {
    const { line } = event.position;
    const giveUpUs = this.#timeline.giveUpUs(schedule);
    const first = this.#takeSent(giveUpUs);
    if (!first) {
      const waited = `none until ${seconds(this.#nowUs)} s`;
      throw new ScriptFailure(
        line,
        'the packet did not come',
        `${describeAction(action)} at ${this.#when(schedule)}`,
        waited,
      );
    }
    const map = this.#connections.current!;
    const { body } = action;
    if (body.kind === 'tcp') this.#connections.learnFrom(first, body);
    const live = body.kind === 'tcp' ? this.#collect(first, body, giveUpUs) : first;
    const compared = comparePacket(action, live, map, {
      psh: this.#config.psh,
      timestampTickUs: this.#config.timestampTickUs,
      elapsedUs: this.#nowUs,
      toleranceUs: this.#timeline.toleranceUs,
    });
    if (compared.pshDiffers) this.report.pshDiffers.push(line);
    for (const warning of compared.warnings) this.report.warnings.push(`line ${line}: ${warning}`);
    const atUs = live.us - this.#startUs;
    if (compared.mismatches.length > 0) {
      const got = `${describeLive(live, map)} at ${seconds(atUs)} s`;
      throw new ScriptFailure(line, compared.mismatches.join('; '), describeAction(action), got);
    }
    this.#checkTime(line, schedule, atUs, 'the packet');
    this.#learnTimestamps(body, live, map);
  }

  #when(schedule: Schedule): string {
    if (schedule.fromUs === undefined) return 'any time';
    const range = schedule.toUs > schedule.fromUs ? `~${seconds(schedule.toUs)}` : '';
    return `${seconds(schedule.fromUs)}${range} s`;
  }

  #checkTime(line: number, schedule: Schedule, atUs: number, what: string): void {
    const error = errorUs(schedule, atUs);
    this.report.timings.push({ line, errorUs: error });
    if (Math.abs(error) <= schedule.toleranceUs) return;
    const word = error < 0 ? 'early' : 'late';
    throw new ScriptFailure(
      line,
      `${what} came ${seconds(Math.abs(error))} s too ${word}`,
      `${this.#when(schedule)} (tolerance ${seconds(schedule.toleranceUs)} s)`,
      `${seconds(atUs)} s`,
    );
  }

  /** The oldest packet of the socket under test; time moves on until there is one. */
  #takeSent(giveUpUs: number): LivePacket | undefined {
    const { sent } = this.#host;
    const ready = (): boolean => {
      while (sent.length > 0 && !this.#connections.owns(sent[0]!)) sent.shift();
      return sent.length > 0;
    };
    this.#advance(Math.max(giveUpUs, this.#nowUs), ready);
    return ready() ? sent.shift() : undefined;
  }

  /** Puts segments together until they carry what the line says. */
  #collect(first: LivePacket, body: TcpBody, giveUpUs: number): LivePacket {
    const fragments = [first];
    let bytes = first.tcp?.payloadBytes ?? 0;
    if (this.#config.strictSegments || bytes === 0) return first;
    while (bytes < body.payloadBytes) {
      const next = this.#takeSent(giveUpUs);
      if (!next) break;
      if (!continues(fragments, next)) {
        this.#host.sent.unshift(next);
        break;
      }
      fragments.push(next);
      bytes += next.tcp?.payloadBytes ?? 0;
    }
    return merge(fragments);
  }

  #learnTimestamps(body: PacketAction['body'], live: LivePacket, map: ConnectionMap): void {
    if (body.kind !== 'tcp' || body.options === 'any') return;
    for (const [i, option] of body.options.entries()) {
      const data = live.tcp?.options[i]?.data;
      if (option.kind === 'TS' && data?.length === 8) {
        map.timestamps.learn(option.val, new DataView(data.buffer, data.byteOffset).getUint32(0));
      }
    }
  }

  // --- System calls ----------------------------------------------------------------------------------------------

  #syscall(event: ScriptEvent, action: SyscallAction, schedule: Schedule): void {
    const prepared = prepareCall(action, this.#calls);
    const startUs = this.#nowUs;
    const { time } = event;
    const baseUs = (schedule.fromUs ?? 0) - (time.kind === 'at' ? time.us : 0);
    const endUs = action.endUs === undefined ? undefined : baseUs + action.endUs;
    const running = new RunningCall(event, action, prepared, prepared.start(), startUs, endUs);
    this.#noteStart(action, prepared.address);
    this.#pending = running;
    if (endUs !== undefined) {
      this.#pollPending();
      return;
    }
    this.#advance(startUs + BLOCKING_CAP_US, () => running.outcome !== undefined);
    if (!running.outcome) throw new ScriptFailure(event.position.line, `${action.name}() blocks and does not return`);
  }

  /** What the connections must know as soon as a call is made: a SYN may be out already. */
  #noteStart(action: SyscallAction, address: Address | undefined): void {
    const [first] = action.args;
    if (first?.kind !== 'integer') return;
    const fd = first.value;
    if (action.name === 'connect' && address?.family === CONSTANTS['AF_UNSPEC']) {
      this.#connections.disconnected(fd);
      return;
    }
    const { calls } = this.#host;
    const live = this.#calls.liveFd(fd);
    const remotePort = calls.remotePort(live);
    if (remotePort > 0) this.#connections.connecting(fd, calls.localPort(live), remotePort);
  }

  #pollPending(): void {
    this.#host.calls.refresh();
    const pending = this.#pending;
    if (!pending || pending.outcome || !pending.poll(this.#nowUs)) return;
    this.#returned(pending);
  }

  #returned(running: RunningCall): void {
    const { action, prepared, event } = running;
    const outcome = running.outcome!;
    this.#pending = undefined;
    const { line } = event.position;
    const wrong = compareOutcome(action, prepared, outcome);
    if (wrong !== undefined) throw new ScriptFailure(line, wrong, event.text, describeOutcome(outcome));
    this.#noteReturn(action, prepared.opens, outcome.value, line);
    if (running.endUs === undefined) return;
    const toleranceUs = this.#timeline.durationTolerance(running.endUs - running.startUs);
    const schedule = { fromUs: running.endUs, toUs: running.endUs, toleranceUs };
    this.#checkTime(line, schedule, running.returnedUs, `the return of ${action.name}()`);
  }

  #noteReturn(action: SyscallAction, opens: boolean, value: number, line: number): void {
    if (value < 0) return;
    const { calls } = this.#host;
    if (opens) {
      const fd = action.result === undefined ? value : numberOf(action.result);
      if (this.#fds.has(fd)) throw new ScriptFailure(line, `the descriptor ${fd} is in use already`);
      this.#fds.set(fd, value);
      if (action.name === 'socket') this.#connections.created(fd, this.#protocolOf(action));
      else if (action.name.startsWith('accept')) this.#connections.accepted(fd, calls.remotePort(value));
    } else if (action.name === 'listen') {
      const fd = numberOf(action.args[0]);
      this.#connections.listening(fd, calls.localPort(this.#calls.liveFd(fd)));
    } else if (action.name === 'bind') {
      const fd = numberOf(action.args[0]);
      this.#connections.bound(fd, calls.localPort(this.#calls.liveFd(fd)));
    } else if (action.name === 'close') {
      const fd = numberOf(action.args[0]);
      this.#fds.delete(fd);
      this.#connections.closed(fd);
    }
  }

  #protocolOf(action: SyscallAction): number {
    return (numberOf(action.args[1]) & SOCK_TYPE_MASK) === CONSTANTS['SOCK_DGRAM'] ? PROTOCOL_UDP : PROTOCOL_TCP;
  }

  /** At most one call blocks at a time: the next waits for it. */
  #awaitPending(scheduledUs: number): void {
    const pending = this.#pending;
    if (!pending) return;
    this.#advance(Math.max(scheduledUs, this.#nowUs + PENDING_CAP_US), () => pending.outcome !== undefined);
    if (pending.outcome) return;
    const { line } = pending.event.position;
    const expected = pending.endUs === undefined ? undefined : `it returns at ${seconds(pending.endUs)} s`;
    throw new ScriptFailure(
      line,
      `${pending.action.name}() did not return`,
      expected,
      `it still blocks at ${seconds(this.#nowUs)} s`,
    );
  }

  // --- Code ------------------------------------------------------------------------------------------------------

  #code(event: ScriptEvent, action: CodeAction): void {
    const map = this.#connections.current;
    const info = map && this.#host.tcpInfo({ localPort: map.localPort, remotePort: map.remotePort });
    const lookup = (name: string): Value | undefined => {
      if (Object.hasOwn(CODE_CONSTANTS, name)) return CODE_CONSTANTS[name];
      if (info && Object.hasOwn(info, name)) return info[name];
      if (info && /^(tcpi|bbr|dctcp|tcpv|sk|SK)_/.test(name))
        throw new UnsupportedError(`the field ${name} of tcp_info is not supported`);
      return undefined;
    };
    const scope = { variables: this.#variables, lookup, print: (text: string) => this.report.output.push(text) };
    const lineOf = (offset: number): number =>
      action.position.line + (action.text.slice(0, offset).match(/\n/g)?.length ?? 0);
    try {
      runCode(this.#prepared.code.get(action) ?? [], scope);
    } catch (error) {
      if (error instanceof AssertionFailure) {
        const why =
          error.message === error.source
            ? 'the assertion does not hold'
            : `the assertion does not hold: ${error.message}`;
        throw new ScriptFailure(lineOf(error.offset), why, error.source, error.values);
      }
      if (error instanceof CodeError) {
        const missing = info || !map ? '' : ' (there is no connection yet)';
        throw new ScriptFailure(lineOf(error.offset), `${error.message}${missing}`, event.text);
      }
      throw error;
    }
  }
}

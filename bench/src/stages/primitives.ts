import { Memory } from '@qanat/bytes';
import { Timer, TimerQueue } from '@qanat/clock';
import { ETH_TYPE_IPV4, getType, writeHeader as writeEthernet } from '@qanat/ethernet';
import {
  checkAddresses,
  checkHeader,
  FLAG_DF,
  getDst,
  getHeaderBytes,
  getProtocol,
  getSrc,
  getTotalLength,
  headerSum,
  PROTOCOL_TCP,
  pseudoHeaderSum,
  writeHeader as writeIpv4,
} from '@qanat/ipv4';
import { ACK, headerBytes, headerFits, PSH, TCP_ACK, TCP_OFFSET_FLAGS, TCP_SEQ, TCP_WINDOW } from '@qanat/tcp';
import { measure, type Stage, type StageGroup, sink } from './stage.ts';

const SMALL = 1460;
const LARGE = 65_536;
const [CLIENT, SERVER] = [0x0a000001, 0x0a000002];

/** Bytes, headers, atomics, the clock and timers: what everything else is made of. */
export function primitives(): StageGroup[] {
  const memory = Memory.create({ bytes: 4 << 20, shared: true });
  return [
    { title: 'bytes (WASM SIMD, one thread, warm cache)', stages: bytes(memory) },
    { title: 'headers', stages: headers(memory) },
    { title: 'the engine', stages: engine(memory) },
  ];
}

function bytes({ kernel }: Memory): Stage[] {
  const [source, target] = [1 << 20, 2 << 20];
  const both = (stage: string, body: (bytes: number) => (times: number) => void): Stage => ({
    stage,
    smallNs: measure(body(SMALL)),
    largeNs: measure(body(LARGE)),
  });
  return [
    both('copy', (length) => (times) => {
      for (let i = 0; i < times; i++) kernel.copy(target, source, length);
    }),
    both('checksum', (length) => (times) => {
      for (let i = 0; i < times; i++) sink.value += kernel.sum(source, length);
    }),
    both('copy and checksum in one pass', (length) => (times) => {
      for (let i = 0; i < times; i++) sink.value += kernel.copySum(target, source, length);
    }),
  ];
}

function headers(memory: Memory): Stage[] {
  const { view } = memory;
  const [frame, ip, tcp] = [4098, 4112, 4132];
  const build = (times: number): void => {
    for (let i = 0; i < times; i++) {
      writeEthernet(memory, frame, 0x0200, 2, 0x0200, 1, ETH_TYPE_IPV4);
      writeIpv4(memory, ip, 1500, i & 0xffff, FLAG_DF, 64, PROTOCOL_TCP, CLIENT, SERVER, 0);
      view.setInt32(tcp, (40_000 << 16) | 5001);
      view.setInt32(tcp + TCP_SEQ, i);
      view.setInt32(tcp + TCP_ACK, 1);
      view.setUint16(tcp + TCP_OFFSET_FLAGS, 0x8000 | ACK | PSH);
      view.setUint16(tcp + TCP_WINDOW, 65_535);
      // The timestamps option with its padding.
      view.setInt32(tcp + 20, 0x0101_080a);
      view.setInt32(tcp + 24, i);
      view.setInt32(tcp + 28, i);
      sink.value += pseudoHeaderSum(CLIENT, SERVER, PROTOCOL_TCP, 1480);
    }
  };
  const parse = (times: number): void => {
    for (let i = 0; i < times; i++) {
      let problem = getType(memory, frame) === ETH_TYPE_IPV4 ? 0 : 1;
      problem |= checkHeader(memory, ip, 1500, 1500);
      problem |= headerSum(memory, ip, getHeaderBytes(memory, ip)) === 0xffff ? 0 : 1;
      const [src, dst] = [getSrc(memory, ip), getDst(memory, ip)];
      problem |= checkAddresses(src, dst, SERVER, 0x0a0000ff) | (getProtocol(memory, ip) ^ PROTOCOL_TCP);
      problem |= headerFits(memory, tcp, getTotalLength(memory, ip) - 20) ? 0 : 1;
      sink.value += problem + headerBytes(memory, tcp) + view.getInt32(tcp + TCP_SEQ) + view.getInt32(tcp + TCP_ACK);
    }
  };
  build(1);
  return [
    { stage: 'Ethernet, IPv4 and TCP headers written', smallNs: measure(build), largeNs: null },
    { stage: 'the same parsed and checked', smallNs: measure(parse), largeNs: null },
  ];
}

function engine({ i32 }: Memory): Stage[] {
  const single = (stage: string, body: (times: number) => void): Stage => ({
    stage,
    smallNs: measure(body),
    largeNs: null,
  });
  const timers = new TimerQueue();
  const timer = new Timer(() => {});
  for (let i = 1; i <= 1000; i++) timers.arm(new Timer(() => {}), i * 1000);
  return [
    single('Atomics.load', (times) => {
      for (let i = 0; i < times; i++) sink.value += Atomics.load(i32, 1024);
    }),
    single('Atomics.store', (times) => {
      for (let i = 0; i < times; i++) Atomics.store(i32, 1024, i);
    }),
    single('Atomics.compareExchange', (times) => {
      for (let i = 0; i < times; i++) sink.value += Atomics.compareExchange(i32, 1024, i, i + 1);
    }),
    single('Atomics.notify, nobody waits', (times) => {
      for (let i = 0; i < times; i++) sink.value += Atomics.notify(i32, 1024, 1);
    }),
    single('performance.now()', (times) => {
      for (let i = 0; i < times; i++) sink.value += performance.now();
    }),
    single('a timer moved later', (times) => {
      for (let i = 0; i < times; i++) timers.arm(timer, 2_000_000 + i);
    }),
    single('a timer armed and cancelled, among 1000', (times) => {
      for (let i = 0; i < times; i++) {
        timers.arm(timer, 500_000);
        timers.cancel(timer);
      }
    }),
  ];
}

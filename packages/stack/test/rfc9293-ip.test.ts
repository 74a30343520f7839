import { describe, expect, it } from 'vitest';
import type { Flow, NetError } from '../src/index.ts';
import { type IpSpec, icmpError, quote, type TcpSeen, tcpSegment, WireHost } from './wire-host.ts';

const LOCAL = '10.0.0.1';
const REMOTE = '10.0.0.2';
const CHECK_MS = 5000;

/** A host with one device, and the sending side of its cable. */
function host(options: ConstructorParameters<typeof WireHost>[0] = {}): { h: WireHost; send: (spec: IpSpec) => void } {
  const h = new WireHost(options);
  return { h, send: h.plug(`${LOCAL}/24`, '10.0.0.254') };
}

/** Sends a segment from port 4000 to port 80. */
function segment(
  send: (spec: IpSpec) => void,
  o: Partial<IpSpec> & { flags: string; seq?: number; ack?: number; data?: number },
): void {
  const { src = REMOTE, dst = LOCAL, flags, seq = 1000, ack = 0, data = 0 } = o;
  const payload = tcpSegment(
    { src, dst },
    { srcPort: 4000, dstPort: 80, seq, ack, flags, payload: new Uint8Array(data) },
  );
  send({ ...o, src, dst, payload });
}

/** Opens a connection to REMOTE. @returns the flow, established, and our ISN. */
function connected({ h, send }: ReturnType<typeof host>, tcp = {}): { flow: Flow; iss: number; syn: TcpSeen } {
  const flow = h.stack.connect({ host: REMOTE, port: 4000, localPort: 80, tcp });
  h.run(1);
  const syn = h.tcp()[0]!;
  segment(send, { flags: 'S.', seq: 5000, ack: (syn.seq + 1) >>> 0 });
  expect(flow.state).toBe('ESTABLISHED');
  h.tcp();
  return { flow, iss: syn.seq, syn };
}

describe('the local address of a connection (3.9.1.1)', () => {
  it('may be named, by an active OPEN and a passive one [MUST-43]', () => {
    const h = new WireHost();
    h.plug('10.0.0.1/24', '10.0.0.254');
    const send = h.plug('10.1.0.1/24');
    h.stack.connect({ host: '10.0.0.2', port: 80, localAddress: '10.1.0.1' });
    h.run(1);
    expect(h.tcp()[0]).toMatchObject({ src: '10.1.0.1', dst: '10.0.0.2', flags: 'S' });
    expect(() => h.stack.connect({ host: '10.0.0.2', port: 80, localAddress: '10.9.9.9' })).toThrow(/EADDRNOTAVAIL/);
    h.stack.listen({ port: 80, host: '10.0.0.1', onFlow: () => {} });
    segment(send, { src: '10.1.0.2', dst: '10.1.0.1', flags: 'S' });
    h.run(1);
    expect(h.tcp()).toMatchObject([{ flags: 'R.' }]);
    h.stack.listen({ port: 80, host: '10.1.0.1', onFlow: () => {} });
    segment(send, { src: '10.1.0.2', dst: '10.1.0.1', flags: 'S' });
    h.run(1);
    expect(h.tcp()).toMatchObject([{ src: '10.1.0.1', flags: 'S.' }]);
  });

  it('is chosen by IP for the first SYN, by the route [MUST-44]', () => {
    const h = new WireHost();
    h.plug('10.0.0.1/24', '10.0.0.254');
    h.plug('10.1.0.1/24');
    for (const host of ['10.0.0.9', '10.1.0.9', '203.0.113.9']) h.stack.connect({ host, port: 80 });
    h.run(1);
    expect(Object.fromEntries(h.tcp().map((s) => [s.dst, s.src]))).toEqual({
      '10.0.0.9': '10.0.0.1',
      '10.1.0.9': '10.1.0.1',
      '203.0.113.9': '10.0.0.1',
    });
  });

  it('stays what it was in the first segment, though there is a better way now [MUST-45]', () => {
    const { h, send } = host();
    const flow = h.stack.connect({ host: '192.168.7.2', port: 4000, localPort: 80 });
    h.run(1);
    const [syn] = h.tcp();
    expect(syn).toMatchObject({ src: LOCAL, flags: 'S' });
    h.plug('192.168.7.1/24');
    segment(send, { src: '192.168.7.2', flags: 'S.', seq: 5000, ack: (syn!.seq + 1) >>> 0 });
    flow.write(new Uint8Array(10));
    h.run(1000);
    const sent = h.tcp();
    expect(sent.length).toBeGreaterThan(2);
    expect(new Set(sent.map((s) => s.src))).toEqual(new Set([LOCAL]));
  });
});

describe('addresses that no connection can have (3.9.2.3)', () => {
  it.each(['224.0.0.1', '239.1.2.3', '255.255.255.255', '10.0.0.255', '0.0.0.0', '240.0.0.1', LOCAL])(
    'OPEN to %s is an error [MUST-46]',
    (address) => {
      const { h } = host();
      expect(() => h.stack.connect({ host: address, port: 80 })).toThrow(/EINVAL/);
      h.run(CHECK_MS);
      expect(h.tcp()).toEqual([]);
    },
  );

  it.each(['224.0.0.1', '255.255.255.255', '10.0.0.255'])('segments to %s are discarded silently [MUST-57]', (dst) => {
    const { h, send } = host();
    h.stack.listen({ port: 80, onFlow: () => {} });
    segment(send, { dst, flags: 'S' });
    segment(send, { dst, flags: '.', ack: 77 });
    segment(send, { dst, flags: 'F.', ack: 77, data: 10 });
    h.run(CHECK_MS);
    expect(h.seen).toEqual([]);
    // The same to our own address is answered.
    segment(send, { flags: 'S' });
    h.run(1);
    expect(h.tcp()).toMatchObject([{ flags: 'S.' }]);
  });

  it.each(['224.0.0.1', '255.255.255.255', '10.0.0.255', '0.0.0.0', '127.0.0.1', '240.0.0.1', LOCAL])(
    'a SYN from %s is ignored [MUST-63]',
    (src) => {
      const { h, send } = host();
      h.stack.listen({ port: 80, onFlow: () => {} });
      segment(send, { src, flags: 'S' });
      h.run(CHECK_MS);
      expect(h.seen).toEqual([]);
      expect(h.stack.tcp.connectionCount).toBe(0);
    },
  );
});

describe('the IP header of segments (3.9.2)', () => {
  it('has the TTL that the host is configured with, in every segment [MUST-49]', () => {
    for (const ttl of [64, 17, 255]) {
      const on = host(ttl === 64 ? {} : { ipv4: { ttl } });
      const { flow, syn } = connected(on);
      flow.write(new Uint8Array(10));
      segment(on.send, { flags: 'S', src: '10.0.0.3' });
      flow.reset();
      on.h.run(1);
      const sent = [syn, ...on.h.tcp()];
      expect(sent.map((s) => s.flags)).toEqual(['S', 'P.', 'R.', 'R.']);
      expect(new Set(sent.map((s) => s.ttl))).toEqual(new Set([ttl]));
    }
  });

  it.each([
    ['padding', [1, 1, 1, 0]],
    ['an unknown option', [0x9e, 4, 1, 2]],
    ['a timestamp that is full', [0x44, 8, 9, 0, 0, 0, 0, 0]],
    ['a recorded route', [0x07, 7, 4, 0, 0, 0, 0, 0]],
    ['router alert', [0x94, 4, 0, 0]],
  ])('options that TCP does not understand are ignored: %s [MUST-50]', (_what, options) => {
    const { h, send } = host();
    const flows: Flow[] = [];
    h.stack.listen({ port: 80, onFlow: (flow) => flows.push(flow) });
    segment(send, { options, flags: 'S' });
    h.run(1);
    const [synAck] = h.tcp();
    expect(synAck).toMatchObject({ flags: 'S.', ack: 1001 });
    segment(send, { options, flags: '.', seq: 1001, ack: synAck!.seq + 1 });
    segment(send, { options, flags: 'P.', seq: 1001, ack: synAck!.seq + 1, data: 33 });
    expect(flows[0]!.readable).toBe(33);
  });

  it('is not the same in a retransmission, which has an identification of its own (RFC 6864) [MAY-4]', () => {
    const on = host();
    const { flow } = connected(on);
    flow.write(new Uint8Array(10));
    on.h.run(1500);
    const sent = on.h.tcp();
    expect(sent.length).toBeGreaterThan(1);
    expect(new Set(sent.map((s) => s.seq)).size).toBe(1);
    expect(new Set(sent.map((s) => s.id)).size).toBe(sent.length);
    expect(sent.every((s) => s.df)).toBe(true);
  });
});

describe('ICMP messages (3.9.2.2)', () => {
  it('source quench is discarded silently (RFC 6633) [MUST-55]', () => {
    const on = host();
    const { flow } = connected(on);
    const troubles: string[] = [];
    flow.onTrouble = (error) => troubles.push(error.code);
    flow.write(new Uint8Array(5000));
    on.h.run(1);
    const before = flow.info();
    const [first] = on.h.seen;
    on.send({ src: '10.0.0.254', dst: LOCAL, protocol: 1, payload: icmpError(4, 0, quote(first!)) });
    expect(flow.info()).toEqual(before);
    expect(troubles).toEqual([]);
    expect(on.h.seen.filter((p) => p.protocol === 1)).toEqual([]);
  });

  it.each([
    [3, 0, 'ENETUNREACH'],
    [3, 1, 'EHOSTUNREACH'],
    [3, 5, 'EHOSTUNREACH'],
    [11, 0, 'EHOSTUNREACH'],
    [12, 0, 'EPROTO'],
  ])(
    'type %i code %i is told to the application, and the flow lives [MUST-54] [MUST-56] [SHLD-25] [MUST-47]',
    (type, code, word) => {
      const on = host();
      const { flow, iss } = connected(on);
      const told: NetError[] = [];
      let closed = false;
      flow.onTrouble = (error) => told.push(error);
      flow.onClose = () => {
        closed = true;
      };
      flow.write(new Uint8Array(100));
      on.h.run(1);
      const [data] = on.h.tcp();
      on.send({ src: '10.0.0.254', dst: LOCAL, protocol: 1, payload: icmpError(type, code, quote(data!)) });
      expect(told).toMatchObject([{ code: word, address: REMOTE, port: 4000 }]);
      segment(on.send, { flags: '.', seq: 5001, ack: (iss + 101) >>> 0 });
      on.h.run(CHECK_MS);
      expect([flow.unacknowledged, closed]).toEqual([0, false]);
    },
  );

  it.each([2, 3])(
    'a hard error (code %i) does not end an established flow: anybody can forge it (RFC 5927) [SHLD-26]',
    (code) => {
      const on = host();
      const { flow } = connected(on);
      const told: string[] = [];
      flow.onTrouble = (error) => told.push(error.code);
      flow.write(new Uint8Array(100));
      on.h.run(1);
      const [data] = on.h.tcp();
      on.send({ src: '10.0.0.254', dst: LOCAL, protocol: 1, payload: icmpError(3, code, quote(data!)) });
      expect(told).toEqual([code === 2 ? 'ENOPROTOOPT' : 'ECONNREFUSED']);
      expect(flow.state).toBe('ESTABLISHED');
    },
  );

  it('a hard error ends a flow that is being opened [SHLD-26]', () => {
    const { h, send } = host();
    const flow = h.stack.connect({ host: REMOTE, port: 4000, localPort: 80 });
    let error: NetError | undefined;
    flow.onClose = (e) => {
      error = e;
    };
    h.run(1);
    send({ src: REMOTE, dst: LOCAL, protocol: 1, payload: icmpError(3, 3, quote(h.seen[0]!)) });
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: REMOTE, port: 4000 });
  });
});

describe('R1 (3.8.3)', () => {
  it('makes IP ask again for its neighbour, and tells the application [MUST-20] [SHLD-9]', () => {
    const on = host();
    const { flow, iss } = connected(on);
    const told: string[] = [];
    flow.onTrouble = (error) => told.push(error.code);
    flow.write(new Uint8Array(100));
    on.h.arpAsked.length = 0;
    // Timeouts at about 0.2, 0.6 and 1.4 s; ARP gives the flow 5 s to prove the neighbour alive.
    on.h.run(1000);
    expect(told).toEqual([]);
    on.h.run(1000);
    expect(told).toEqual(['ETIMEDOUT']);
    on.h.run(8000);
    expect(on.h.arpAsked).toContainEqual({ ip: REMOTE, unicast: true });
    segment(on.send, { flags: '.', seq: 5001, ack: (iss + 101) >>> 0 });
    expect([flow.state, flow.unacknowledged]).toEqual(['ESTABLISHED', 0]);
  });

  it('is the application’s to choose, as R2 is [MUST-21]', () => {
    const on = host();
    const { flow } = connected(on, { retries1: 1, retries2: 2 });
    const told: string[] = [];
    flow.onTrouble = (error) => told.push(error.code);
    flow.onClose = (error) => told.push(`closed: ${error?.code}`);
    flow.write(new Uint8Array(100));
    on.h.run(60_000);
    expect(told).toEqual(['ETIMEDOUT', 'closed: ETIMEDOUT']);
  });
});

import { PACKET_CSUM_BLANK } from '@qanat/bytes';
import * as ipv4 from '@qanat/ipv4';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as udp from '../src/index.ts';
import { GROUP, Harness, ME, ME2, OTHER, PEER } from './harness.ts';

const text = (s: string) => Uint8Array.from(s, (c) => c.charCodeAt(0));
const code = (f: () => unknown) => {
  try {
    f();
  } catch (error) {
    return (error as udp.UdpError).code;
  }
  return undefined;
};

describe('datagrams', () => {
  test('one is sent byte for byte', () => {
    const h = new Harness();
    const { socket } = h.open(1234);
    expect(socket.send(text('hi!'), PEER, 53)).toBeUndefined();
    expect(h.sent).toHaveLength(1);
    expect(h.sent[0]).toMatchObject({ src: ME, dst: PEER, ttl: 0, tos: 0 });
    expect([...h.sent[0]!.datagram]).toEqual([
      0x04,
      0xd2,
      0,
      53,
      0,
      11,
      ...checksum(h.sent[0]!.datagram),
      104,
      105,
      33,
    ]);
  });

  test('any payload arrives, in one piece or two', () => {
    const h = new Harness();
    let seen: Uint8Array | undefined;
    h.open(7, 0, { onDatagram: (addr, bytes) => (seen = h.memory.u8.slice(addr, addr + bytes)) });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.integer({ min: 8, max: 2000 }), (payload, cut) => {
        seen = undefined;
        expect(h.receive(h.datagram(payload, 9, 7), { cut })).toBe(udp.UDP_DELIVERED);
        expect(seen).toEqual(payload);
      }),
      { numRuns: 50 },
    );
  });

  test('what is sent from memory or from bytes is the same, and passes the check of a receiver', () => {
    const h = new Harness();
    const { socket } = h.open(1234);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.integer({ min: 0, max: 3 }), (payload, shift) => {
        h.sent.length = 0;
        socket.send(payload, PEER, 7);
        h.memory.u8.set(payload, 50000 + shift);
        socket.sendFrom(50000 + shift, payload.length, PEER, 7);
        expect(h.sent[0]!.datagram).toEqual(h.sent[1]!.datagram);
        // The check of the checksum comes before the search for a socket.
        expect(h.receive(h.sent[0]!.datagram, { src: ME, dst: PEER })).toBe(udp.UDP_NO_PORT);
      }),
      { numRuns: 20 },
    );
  });

  test('a checksum of 0 is sent as 0xffff, and 0 received means none', () => {
    const h = new Harness();
    const { got } = h.open(7);
    // The payload is the complement of everything else: the sum is 0xffff, the checksum 0.
    const length = 10;
    const others = ipv4.pseudoHeaderSum(PEER, ME, 17, length) + 9 + 7 + length;
    const rest = ~((others & 0xffff) + (others >>> 16)) & 0xffff;
    const datagram = h.datagram(Uint8Array.from([rest >>> 8, rest & 0xff]), 9, 7);
    expect([datagram[6], datagram[7]]).toEqual([0xff, 0xff]);
    expect(h.receive(datagram)).toBe(udp.UDP_DELIVERED);
    const unchecked = h.datagram('x', 9, 7);
    unchecked.set([0, 0], 6);
    expect(h.receive(unchecked)).toBe(udp.UDP_DELIVERED);
    expect(got.length).toBe(2);
  });

  test('a changed bit is found, anywhere, also when the datagram is scattered', () => {
    const h = new Harness();
    const { got } = h.open(7);
    const good = h.datagram('Nil desperandum', 9, 7);
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bad = good.slice();
      bad[bit >>> 3]! ^= 1 << (bit & 7);
      // The length field: a longer one does not fit, a shorter one is cut and then fails its sum.
      h.receive(bad, { cut: 11 });
    }
    expect(got).toEqual([]);
    expect(h.udp.stats.inCsumErrors + h.udp.stats.inErrors).toBe(good.length * 8);
  });

  test('checksums left to the device are not looked at', () => {
    const h = new Harness();
    h.open(7);
    const bad = h.datagram('x', 9, 7);
    bad[8]! ^= 1;
    expect(h.receive(bad)).toBe(udp.UDP_DROPPED);
    h.packet.set(4096, bad.length);
    h.packet.flags = PACKET_CSUM_BLANK;
    expect(h.udp.receive(h.packet, PEER, ME, true)).toBe(udp.UDP_DELIVERED);
  });

  test('padding behind the datagram is cut off; a length that lies is refused', () => {
    const h = new Harness();
    const { got } = h.open(7);
    h.receive(Uint8Array.from([...h.datagram('abc', 9, 7), 1, 2, 3]));
    h.receive(Uint8Array.from([...h.datagram('abcdef', 9, 7), 1, 2, 3]), { cut: 10 });
    expect(got.map((g) => g.text)).toEqual(['abc', 'abcdef']);
    const lies = h.datagram('abc', 9, 7);
    for (const length of [0, 7, 12, 0xffff]) {
      new DataView(lies.buffer).setUint16(4, length);
      expect(h.receive(lies)).toBe(udp.UDP_DROPPED);
    }
    expect(h.receive(lies.subarray(0, 7))).toBe(udp.UDP_DROPPED);
  });

  test('noise: no throw, nothing delivered beyond its end', () => {
    const h = new Harness();
    let most = 0;
    for (const port of [0x0101, 7]) h.open(port, 0, { onDatagram: (_addr, bytes) => (most = Math.max(most, bytes)) });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (noise, unicast) => {
        most = 0;
        if (noise.length >= 8) noise.set([0, 0], 6);
        if (noise.length >= 8 && unicast) noise.set([0, 7], 2);
        h.receive(noise, { unicast, cut: 8 + (noise[0] ?? 0) });
        expect(most).toBeLessThanOrEqual(Math.max(0, noise.length - 8));
      }),
    );
  });
});

describe('who gets it', () => {
  test('any-address and bound sockets: the particular one wins, the other address is refused', () => {
    const h = new Harness();
    const bound = h.open(7, ME);
    const second = h.open(7, ME2);
    const any = h.open(8);
    h.receive(h.datagram('1', 9, 7));
    h.receive(h.datagram('2', 9, 7, PEER, ME2), { dst: ME2 });
    h.receive(h.datagram('3', 9, 8));
    h.receive(h.datagram('4', 9, 8, PEER, ME2), { dst: ME2 });
    expect(bound.got).toEqual([{ text: '1', from: PEER, fromPort: 9, to: ME }]);
    expect(second.got.map((g) => g.text)).toEqual(['2']);
    expect(any.got.map((g) => [g.text, g.to])).toEqual([
      ['3', ME],
      ['4', ME2],
    ]);
    expect(h.receive(h.datagram('5', 9, 99))).toBe(udp.UDP_NO_PORT);
  });

  test('a connected socket hears its peer only', () => {
    const h = new Harness();
    const { socket, got } = h.open(7);
    socket.connect(PEER, 9);
    expect(h.receive(h.datagram('no', 9, 7, OTHER), { src: OTHER })).toBe(udp.UDP_NO_PORT);
    expect(h.receive(h.datagram('no', 10, 7))).toBe(udp.UDP_NO_PORT);
    expect(h.receive(h.datagram('yes', 9, 7))).toBe(udp.UDP_DELIVERED);
    socket.disconnect();
    expect(h.receive(h.datagram('all', 10, 7))).toBe(udp.UDP_DELIVERED);
    expect(got.map((g) => g.text)).toEqual(['yes', 'all']);
  });

  test('a group is heard by those who joined it, a broadcast by all on the port', () => {
    const h = new Harness();
    const joined = h.open(5353, GROUP);
    const elsewhere = h.open(5353, ME);
    joined.socket.join(GROUP);
    expect([h.udp.isJoined(GROUP), h.udp.isJoined(GROUP + 1)]).toEqual([true, false]);
    expect(h.receive(h.datagram('g', 9, 5353, PEER, GROUP), { dst: GROUP, unicast: false })).toBe(udp.UDP_DELIVERED);
    expect(joined.got.length).toBe(1);
    expect(elsewhere.got.length).toBe(0);
    const any = h.open(67);
    h.receive(h.datagram('b', 68, 67, 0, -1), { src: 0, dst: -1, unicast: false });
    expect(any.got).toEqual([{ text: 'b', from: 0, fromPort: 68, to: -1 }]);
    joined.socket.leave(GROUP);
    expect(h.receive(h.datagram('g', 9, 5353, PEER, GROUP), { dst: GROUP, unicast: false })).toBe(udp.UDP_NO_PORT);
  });

  test('a multicast or broadcast source is dropped', () => {
    const h = new Harness();
    h.open(7);
    for (const src of [GROUP, -1]) expect(h.receive(h.datagram('x', 9, 7, src), { src })).toBe(udp.UDP_DROPPED);
  });

  test('sockets that share a port all hear the group; the youngest gets what is sent to the host alone', () => {
    const h = new Harness();
    const [a, b] = [h.open(5353, 0, {}, true), h.open(5353, 0, {}, true)];
    for (const { socket } of [a, b]) socket.join(GROUP);
    expect(code(() => h.open(5353))).toBe('EADDRINUSE');
    h.receive(h.datagram('all', 9, 5353, PEER, GROUP), { dst: GROUP, unicast: false });
    h.receive(h.datagram('one', 9, 5353));
    expect([a.got, b.got].map((got) => got.map((g) => g.text))).toEqual([['all'], ['all', 'one']]);
  });

  test('a socket may close another from its callback', () => {
    const h = new Harness();
    h.open(7, 0, { onDatagram: () => b.socket.close() }, true);
    const b = h.open(7, 0, {}, true);
    h.receive(h.datagram('x', 9, 7, PEER, -1), { dst: -1, unicast: false });
    expect(b.got).toEqual([]);
    expect(h.udp.sockets).toBe(1);
  });

  test('an answer from the callback does not spoil what is being read', () => {
    const h = new Harness();
    let after = '';
    const { socket } = h.open(7, 0, {
      onDatagram: (addr, bytes, from, fromPort) => {
        socket.sendFrom(addr, bytes, from, fromPort);
        socket.send(text('and more than that'), from, fromPort);
        socket.send(new Uint8Array(20000), from, fromPort);
        after = String.fromCharCode(...h.memory.u8.subarray(addr, addr + bytes));
      },
    });
    h.receive(h.datagram('echo me', 9, 7), { cut: 10 });
    expect(after).toBe('echo me');
    expect(String.fromCharCode(...h.sent[0]!.datagram.subarray(8))).toBe('echo me');
  });
});

describe('sockets', () => {
  test('what cannot be bound', () => {
    const h = new Harness({ maxSockets: 3 });
    h.open(7);
    expect(code(() => h.open(7))).toBe('EADDRINUSE');
    expect(code(() => h.open(7, ME))).toBe('EADDRINUSE');
    expect(code(() => h.open(8, PEER))).toBe('EADDRNOTAVAIL');
    for (const port of [-1, 65536, 1.5, Number.NaN]) expect(code(() => h.open(port))).toBe('EINVAL');
    h.open(8, ME);
    h.open(8, ME2);
    expect(code(() => h.open(9))).toBe('EMFILE');
  });

  test('ephemeral ports: all of them, none twice, then none', () => {
    const h = new Harness({ firstEphemeralPort: 40000, lastEphemeralPort: 40009 });
    const ports = Array.from({ length: 10 }, () => h.open(0).socket.localPort);
    expect(new Set(ports).size).toBe(10);
    expect(Math.min(...ports)).toBe(40000);
    expect(ports[0]).not.toBe(40000);
    expect(code(() => h.open(0))).toBe('EADDRINUSE');
  });

  test('what cannot be sent', () => {
    const h = new Harness();
    const { socket } = h.open(7);
    expect(socket.send(text('x'))).toBe('EDESTADDRREQ');
    expect(socket.send(text('x'), PEER, 0)).toBe('EINVAL');
    expect(socket.send(text('x'), PEER, 70000)).toBe('EINVAL');
    expect(socket.send(text('x'), 0, 7)).toBe('EINVAL');
    expect(socket.send(new Uint8Array(65508), PEER, 7)).toBe('EMSGSIZE');
    expect(socket.send(new Uint8Array(65507), PEER, 7)).toBeUndefined();
    expect(socket.send(text('x'), -1, 7)).toBe('EACCES');
    expect(socket.send(text('x'), ipv4.parseAddress('99.0.0.1'), 7)).toBe('ENETUNREACH');
    h.problem = 'ENOBUFS';
    expect(socket.send(text('x'), PEER, 7)).toBe('ENOBUFS');
    socket.close();
    expect(socket.send(text('x'), PEER, 7)).toBe('EBADF');
    expect(code(() => socket.connect(PEER, 7))).toBe('EBADF');
    expect(h.udp.stats).toMatchObject({ outDatagrams: 1, outErrors: 2 });
  });

  test('broadcasts need leave', () => {
    const h = new Harness();
    const { socket } = h.open(68);
    socket.broadcast = true;
    expect(socket.send(text('x'), -1, 67)).toBeUndefined();
    expect(h.sent[0]).toMatchObject({ dst: -1, broadcast: true });
  });

  test('a socket bound to a group answers from an address of ours', () => {
    const h = new Harness();
    const { socket } = h.open(5353, GROUP);
    socket.send(text('x'), PEER, 5353);
    expect(h.sent[0]!.src).toBe(ME);
  });

  test('what cannot be connected', () => {
    const { socket } = new Harness().open(7);
    expect(code(() => socket.connect(ipv4.parseAddress('99.0.0.1'), 7))).toBe('ENETUNREACH');
    expect(code(() => socket.connect(-1, 7))).toBe('EACCES');
    expect(code(() => socket.connect(PEER, 0))).toBe('EINVAL');
    expect(code(() => socket.join(PEER))).toBe('EINVAL');
    expect(socket.connected).toBe(false);
  });
});

describe('ICMP errors', () => {
  test('a connected socket is told, once for each', () => {
    const h = new Harness();
    const errors: string[] = [];
    const { socket } = h.open(7, 0, { onError: (errno) => errors.push(errno) });
    socket.connect(PEER, 9);
    h.udp.icmpError(ME, 7, PEER, 9, 'ECONNREFUSED', true);
    expect(errors).toEqual(['ECONNREFUSED']);
    expect(socket.send(text('x'))).toBeUndefined();
  });

  test('without a listener the next send returns it, once', () => {
    const h = new Harness();
    const { socket } = h.open(7);
    socket.connect(PEER, 9);
    h.udp.icmpError(ME, 7, PEER, 9, 'ECONNREFUSED', true);
    expect(socket.send(text('x'))).toBe('ECONNREFUSED');
    expect(h.sent).toEqual([]);
    expect(socket.send(text('x'))).toBeUndefined();
    expect(h.sent.length).toBe(1);
  });

  test('unconnected sockets, other peers, soft errors and unknown ports: nothing', () => {
    const h = new Harness();
    const errors: string[] = [];
    const { socket } = h.open(7, 0, { onError: (errno) => errors.push(errno) });
    h.udp.icmpError(ME, 7, PEER, 9, 'ECONNREFUSED', true);
    socket.connect(PEER, 9);
    h.udp.icmpError(ME, 7, OTHER, 9, 'ECONNREFUSED', true);
    h.udp.icmpError(ME, 7, PEER, 10, 'ECONNREFUSED', true);
    h.udp.icmpError(ME, 7, PEER, 9, 'EHOSTUNREACH', false);
    h.udp.icmpError(ME, 8, PEER, 9, 'ECONNREFUSED', true);
    expect(errors).toEqual([]);
    expect(h.udp.stats.errorsIgnored).toBe(5);
  });
});

test('memory and ports come back', () => {
  const h = new Harness();
  const free = h.pages.freePages;
  h.open(7).socket.send(new Uint8Array(60000), PEER, 9);
  h.udp.close();
  expect(h.pages.freePages).toBe(free);
  expect(h.udp.sockets).toBe(0);
  expect(h.open(7).socket.localPort).toBe(7);
});

/** The checksum field as RFC 768 says, worked out without the code under test. */
function checksum(datagram: Uint8Array): [number, number] {
  const bytes = [10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, datagram.length, ...datagram, ...(datagram.length & 1 ? [0] : [])];
  bytes[12 + 6] = bytes[12 + 7] = 0;
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return [(~sum >>> 8) & 0xff, ~sum & 0xff];
}

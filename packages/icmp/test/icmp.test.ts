import { PACKET_CSUM_BLANK, PAGE_SIZE } from '@qanat/bytes';
import * as ipv4 from '@qanat/ipv4';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as icmp from '../src/index.ts';
import { Harness, ME, PEER, ROUTER, SECOND } from './harness.ts';

const body = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => i * 3 + 1);
const UDP8 = Uint8Array.from([0x30, 0x39, 0, 7, 0, 16, 0, 0]);

describe('echo', () => {
  test('a request comes back as a reply, with its payload, from the address it was sent to', () => {
    const h = new Harness();
    const request = h.message(8, 0, 0x12345678, body(56));
    h.receive(request, { tos: 0x1b });
    expect(h.sent).toHaveLength(1);
    const { message, ...to } = h.sent[0]!;
    expect(to).toEqual({ src: ME, dst: PEER, tos: 0x18 });
    expect([...message.subarray(0, 2)]).toEqual([0, 0]);
    expect(message.subarray(4)).toEqual(request.subarray(4));
    expect(h.checksumOk(message)).toBe(true);
  });

  test('any payload, in one piece or two: the reply has a right checksum', () => {
    const h = new Harness();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.nat(),
        fc.integer({ min: 8, max: 3100 }),
        (data, info, cut) => {
          h.sent.length = 0;
          h.receive(h.message(8, 0, info | 0, data), { cut });
          expect(h.sent).toHaveLength(1);
          expect(h.checksumOk(h.sent[0]!.message)).toBe(true);
          expect(h.sent[0]!.message.subarray(8)).toEqual(data);
        },
      ),
      { numRuns: 50 },
    );
  });

  test.each([
    ['nothing but zeros', 0, []],
    ['words whose sum is zero', 0x1234edcb, []],
    ['zeros as payload', 0, [0, 0, 0, 0]],
  ])('a reply of %s has a right checksum', (_what, info, data) => {
    const h = new Harness();
    h.receive(h.message(8, 0, info, Uint8Array.from(data)));
    expect(h.checksumOk(h.sent[0]!.message)).toBe(true);
  });

  test('a request whose checksum was left blank is answered with one', () => {
    const h = new Harness();
    const ip = h.ip(Uint8Array.from([8, 0, 0, 0, 1, 2, 3, 4, 9]));
    h.packet.set(ip + 20, 9);
    h.packet.flags = PACKET_CSUM_BLANK;
    h.icmp.receive(h.packet, ip, true, 0);
    expect(h.checksumOk(h.sent[0]!.message)).toBe(true);
  });

  test('broadcasts, wrong checksums, stumps and giants are not answered', () => {
    const h = new Harness({ maxEchoBytes: 100 });
    h.receive(h.message(8, 0, 1, body(8)), { unicast: false });
    const wrong = h.message(8, 0, 1, body(8));
    wrong[9]! ^= 1;
    h.receive(wrong);
    h.receive(h.message(8, 0, 1, body(8)).subarray(0, 7));
    h.receive(h.message(8, 0, 1, body(101)));
    expect(h.sent).toEqual([]);
    expect(h.icmp.stats).toMatchObject({ inMsgs: 4, inErrors: 1, inCsumErrors: 1, ignored: 2 });
    h.receive(h.message(8, 0, 1, body(100)));
    expect(h.sent).toHaveLength(1);
  });

  test('the rate of replies can be limited', () => {
    const h = new Harness({ echoRepliesPerSecond: 10, echoReplyBurst: 5 });
    for (let i = 0; i < 100; i++) {
      h.receive(h.message(8, 0, i, body(8)));
      h.run(SECOND / 100);
    }
    expect(h.sent.length).toBe(14);
  });
});

describe('ping', () => {
  const open = (h: Harness) => {
    const events: unknown[][] = [];
    const session = h.icmp.openEcho({
      onReply: (seq, rttUs, from, addr, bytes, ttl) =>
        events.push(['reply', seq, rttUs, from, h.memory.u8[addr + 1], bytes, ttl]),
      onTimeout: (seq) => events.push(['timeout', seq]),
      onError: (seq, error) => events.push(['error', seq, error.errno, error.from]),
    })!;
    return { session, events };
  };

  test('a reply is matched to its request and timed by its arrival', () => {
    const h = new Harness();
    const { session, events } = open(h);
    expect(session.send(ME, PEER, 56, h.now)).toBe(0);
    expect(session.send(ME, PEER, 56, h.now)).toBe(1);
    const [first, second] = h.sent.map((s) => s.message);
    expect(h.checksumOk(first!)).toBe(true);
    h.run(1500);
    h.receive(h.message(0, 0, (session.id << 16) | 1, second!.subarray(8)), { ttl: 63 });
    expect(events).toEqual([['reply', 1, 1500, PEER, 1, 56, 63]]);
    expect(session.outstanding).toBe(1);
  });

  test('a reply counts once, from the right host, with the right number', () => {
    const h = new Harness();
    const { session, events } = open(h);
    session.send(ME, PEER, 8, h.now);
    h.receive(h.message(0, 0, (session.id << 16) | 5, body(8)));
    h.receive(h.message(0, 0, ((session.id ^ 1) << 16) | 0, body(8)));
    h.receive(h.message(0, 0, session.id << 16, body(8)), { src: ROUTER });
    expect(events).toEqual([]);
    h.receive(h.message(0, 0, session.id << 16, body(8)));
    h.receive(h.message(0, 0, session.id << 16, body(8)));
    expect(events).toHaveLength(1);
    expect(h.icmp.stats.ignored).toBe(4);
  });

  test('silence becomes a timeout, each request at its own time', () => {
    const h = new Harness({ echoTimeoutUs: SECOND });
    const { session, events } = open(h);
    session.send(ME, PEER, 8, h.now);
    h.run(SECOND / 2);
    session.send(ME, PEER, 8, h.now);
    h.run(SECOND / 2);
    expect(events).toEqual([['timeout', 0]]);
    h.run(SECOND / 2);
    expect(events).toEqual([
      ['timeout', 0],
      ['timeout', 1],
    ]);
    expect(h.time.timers.size).toBe(0);
  });

  test('a router that says no is heard', () => {
    const h = new Harness();
    const { session, events } = open(h);
    session.send(ME, PEER, 56, h.now);
    const quoted = new Uint8Array(28);
    h.ip(h.sent[0]!.message, { src: ME, dst: PEER });
    quoted.set(h.memory.u8.subarray(4096, 4096 + 28));
    h.receive(h.message(3, 1, 0, quoted), { src: ROUTER });
    expect(events).toEqual([['error', 0, 'EHOSTUNREACH', ROUTER]]);
    expect(h.errors).toEqual([]);
  });

  test('what cannot be sent is not waited for, and closing forgets', () => {
    const h = new Harness({ maxOutstandingEchoes: 2 });
    const { session } = open(h);
    h.full = true;
    expect(session.send(ME, PEER, 8, h.now)).toBe(-1);
    h.full = false;
    expect(session.send(ME, PEER, 70000, h.now)).toBe(-1);
    session.send(ME, PEER, 8, h.now);
    session.send(ME, PEER, 8, h.now);
    expect(session.send(ME, PEER, 8, h.now)).toBe(-1);
    session.close();
    expect(h.time.timers.size).toBe(0);
    h.receive(h.message(0, 0, session.id << 16, body(8)));
    expect(h.icmp.stats.ignored).toBe(1);
  });
});

describe('sending errors', () => {
  test('port unreachable quotes the packet and comes from where the packet went', () => {
    const h = new Harness();
    expect(h.refuse(body(40))).toBe(true);
    const { message, ...to } = h.sent[0]!;
    expect(to).toEqual({ src: ME, dst: PEER, tos: 0xc0 });
    expect([...message.subarray(0, 2)]).toEqual([3, 3]);
    expect(message.subarray(8)).toEqual(h.memory.u8.slice(4096, 4096 + 60));
    expect(h.checksumOk(message)).toBe(true);
  });

  test('as much is quoted as makes 576 bytes', () => {
    const h = new Harness();
    h.refuse(body(1480));
    expect(h.sent[0]!.message.length).toBe(576 - 20);
  });

  test('fragmentation needed carries the MTU', () => {
    const h = new Harness();
    const ip = h.ip(body(1000), { protocol: 6, dst: ROUTER });
    h.icmp.sendError(3, 4, 1400, ip, h.last, true, 0, ME);
    expect(h.sent[0]).toMatchObject({ src: ME, dst: PEER });
    const { message } = h.sent[0]!;
    expect([...message.subarray(0, 2)]).toEqual([3, 4]);
    expect([...message.subarray(4, 8)]).toEqual([0, 0, 1400 >> 8, 1400 & 255]);
  });

  test.each<[string, Parameters<Harness['refuse']>[1], Uint8Array?]>([
    ['a frame that went to many', { linkUnicast: false }],
    ['a packet to a multicast group', { dst: ipv4.parseAddress('224.0.0.251') }],
    ['a packet to 255.255.255.255', { dst: -1 }],
    ['a fragment that is not the first', { flags: 1 }],
    ['nobody', { src: 0 }],
    ['a multicast source', { src: ipv4.parseAddress('224.0.0.1') }],
    ['a loopback source', { src: ipv4.parseAddress('127.0.0.1') }],
    ['a broadcast source', { src: -1 }],
    ['an ICMP error', { protocol: 1 }, Uint8Array.from([3, 1, 0, 0, 0, 0, 0, 0])],
    ['an ICMP message of unknown type', { protocol: 1 }, Uint8Array.from([99, 0, 0, 0, 0, 0, 0, 0])],
    ['an ICMP message without its type', { protocol: 1 }, new Uint8Array(0)],
  ])('%s is not answered (RFC 1122 section 3.2.2)', (_name, o, payload = UDP8) => {
    const h = new Harness();
    expect(h.refuse(payload, o)).toBe(false);
    expect(h.sent).toEqual([]);
    expect(h.icmp.stats.outSuppressed).toBe(1);
  });

  test('an echo request may be answered with an error, and a first fragment too', () => {
    const h = new Harness();
    expect(h.refuse(h.message(8, 0, 1, body(8)), { protocol: 1 })).toBe(true);
    expect(h.refuse(UDP8, { flags: ipv4.FLAG_MF })).toBe(true);
  });

  test('one destination gets six at once and one a second, and takes nothing from another', () => {
    const h = new Harness();
    let sent = 0;
    for (let i = 0; i < 100; i++) sent += Number(h.refuse(UDP8));
    expect(sent).toBe(6);
    expect(h.refuse(UDP8, { src: ROUTER })).toBe(true);
    h.run(SECOND);
    expect(h.refuse(UDP8)).toBe(true);
    expect(h.refuse(UDP8)).toBe(false);
  });

  test('what the limit of all refuses is not charged to the destination', () => {
    const h = new Harness();
    for (let i = 0; i < 50; i++) h.refuse(UDP8, { src: PEER + 1 + i });
    for (let i = 0; i < 20; i++) expect(h.refuse(UDP8)).toBe(false);
    h.run(SECOND / 100);
    let sent = 0;
    for (let i = 0; i < 20; i++) sent += Number(h.refuse(UDP8));
    expect(sent).toBe(6);
  });

  test('all together get fifty at once and a thousand a second', () => {
    const h = new Harness();
    let sent = 0;
    for (let i = 0; i < 500; i++) sent += Number(h.refuse(UDP8, { src: PEER + i }));
    expect(sent).toBe(50);
    for (let i = 0; i < 2000; i++) {
      sent += Number(h.refuse(UDP8, { src: ROUTER + i }));
      h.run(SECOND / 2000);
    }
    expect(sent).toBeGreaterThan(1000);
    expect(sent).toBeLessThanOrEqual(1051);
  });
});

describe('received errors', () => {
  const quote = (h: Harness, payload: Uint8Array, o: Parameters<Harness['ip']>[1] = {}) => {
    const ip = h.ip(payload, { src: ME, dst: PEER, protocol: 6, ...o });
    return h.memory.u8.slice(ip, ip + h.last);
  };

  test('fragmentation needed says the MTU and shows the quoted transport header', () => {
    const h = new Harness();
    const tcp = Uint8Array.from([0x30, 0x39, 0, 80, 1, 2, 3, 4]);
    h.receive(h.message(3, 4, 1400, quote(h, tcp)), { src: ROUTER });
    expect(h.errors).toEqual([
      {
        type: 3,
        code: 4,
        mtu: 1400,
        from: ROUTER,
        protocol: 6,
        src: ME,
        dst: PEER,
        errno: 'EMSGSIZE',
        hard: false,
        transportBytes: 8,
        transport: [...tcp],
      },
    ]);
  });

  test.each([
    [3, 0, 'ENETUNREACH', false],
    [3, 1, 'EHOSTUNREACH', false],
    [3, 2, 'ENOPROTOOPT', true],
    [3, 3, 'ECONNREFUSED', true],
    [3, 5, 'EOPNOTSUPP', false],
    [3, 10, 'EHOSTUNREACH', true],
    [3, 11, 'ENETUNREACH', false],
    [3, 13, 'EHOSTUNREACH', true],
    [3, 200, 'EHOSTUNREACH', false],
    [11, 0, 'EHOSTUNREACH', false],
    [12, 0, 'EPROTO', true],
  ])('type %i code %i is %s, hard: %s', (type, code, errno, hard) => {
    const h = new Harness();
    h.receive(h.message(type, code, 0, quote(h, UDP8)));
    expect(h.errors).toMatchObject([{ type, code, errno, hard, mtu: 0 }]);
  });

  test('source quench and redirects are passed over', () => {
    const h = new Harness();
    h.receive(h.message(4, 0, 0, quote(h, UDP8)));
    h.receive(h.message(5, 1, ROUTER, quote(h, UDP8)));
    expect(h.errors).toEqual([]);
    expect(h.icmp.stats.ignored).toBe(2);
  });

  test.each<[string, (q: Uint8Array) => Uint8Array]>([
    ['seven bytes of transport', (q) => q.subarray(0, 27)],
    ['no header', (q) => q.subarray(0, 12)],
    ['nothing', (q) => q.subarray(0, 0)],
    ['version 6', (q) => q.with(0, 0x65)],
    ['IHL 4', (q) => q.with(0, 0x44)],
    ['IHL 15 and no options', (q) => q.with(0, 0x4f)],
    ['a later fragment', (q) => q.with(7, 1)],
    ["somebody else's packet", (q) => q.with(15, 77)],
  ])('an error that quotes %s is counted and dropped', (_name, change) => {
    const h = new Harness();
    h.receive(h.message(3, 3, 0, change(quote(h, UDP8))));
    expect(h.errors).toEqual([]);
    expect(h.icmp.stats.inErrors).toBe(1);
  });

  test('noise: no throw, nothing read beyond the message, no answer to anything but echo', () => {
    const h = new Harness();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(0, 3, 4, 5, 8, 11, 12, 13, 99), (noise, type) => {
        h.errors.length = h.sent.length = 0;
        h.receive(noise);
        const info = noise.length > 4 ? noise[4]! : 0;
        h.receive(h.message(type, noise[0] ?? 0, info, noise));
        h.receive(h.message(type, noise[0] ?? 0, info, quote(h, noise)));
        for (const s of h.sent) expect(s.message[0]).toBe(0);
        for (const e of h.errors) expect((e['transport'] as number[]).length).toBe(8);
      }),
    );
  });
});

test('memory comes back', () => {
  const h = new Harness();
  const free = h.pages.freePages;
  h.icmp.openEcho({ onReply: () => {} })!.send(ME, PEER, 3 * PAGE_SIZE, 0);
  expect(h.pages.freePages).toBeLessThan(free);
  h.icmp.close();
  expect(h.pages.freePages).toBe(free);
  expect(h.time.timers.size).toBe(0);
  expect(icmp.isQuery(8)).toBe(true);
});

import { describe, expect, it } from 'vitest';
import type { NetError, PingReply } from '../src/index.ts';
import { createPair } from './pair.ts';

const SECOND = 1_000_000;

describe('ping', () => {
  it('measures the round trip of the link', () => {
    const pair = createPair({ impair: { delayUs: 5_000 } });
    const replies: PingReply[] = [];
    const ping = pair.a.ping(pair.addressB, { onReply: (reply) => replies.push(reply) });
    ping.send();
    pair.time.run(SECOND);
    ping.send();
    pair.time.run(2 * SECOND);
    // The first waits 5 ms for the MAC, which the other's own announcement brings.
    expect(replies.map(({ seq, rttUs, from, ttl, bytes }) => ({ seq, rttUs, from, ttl, bytes }))).toEqual([
      { seq: 0, rttUs: 15_000, from: '10.0.0.2', ttl: 64, bytes: 56 },
      { seq: 1, rttUs: 10_000, from: '10.0.0.2', ttl: 64, bytes: 56 },
    ]);
  });

  it('fragments a large request and puts the reply together', () => {
    const pair = createPair();
    const replies: PingReply[] = [];
    pair.a.ping(pair.addressB, { bytes: 20_000, onReply: (reply) => replies.push(reply) }).send();
    pair.time.run(SECOND);
    expect(replies).toMatchObject([{ bytes: 20_000 }]);
    expect(pair.b.interfaces[0]!.stats.ipFragments).toBe(14);
  });

  it('tells of a host that is not there by the time limit', () => {
    const pair = createPair();
    const lost: number[] = [];
    pair.a.ping('10.0.0.9', { onReply: () => {}, onTimeout: (seq) => lost.push(seq) }).send();
    pair.time.run(30 * SECOND);
    expect(lost).toEqual([0]);
  });
});

describe('UDP between two stacks', () => {
  it('carries datagrams both ways, large ones in fragments', () => {
    const pair = createPair();
    const server = pair.b.udp({ port: 7 });
    server.onMessage = (data, from) => server.send(data, from.port, from.address);
    const client = pair.a.udp();
    const sizes: number[] = [];
    client.onMessage = (data, from) => {
      expect(from).toEqual({ address: '10.0.0.2', port: 7 });
      expect(data.every((byte, i) => byte === (i & 0xff))).toBe(true);
      sizes.push(data.length);
    };
    for (const size of [0, 1, 1472, 1473, 60_000]) {
      client.send(
        Uint8Array.from({ length: size }, (_, i) => i & 0xff),
        7,
        pair.addressB,
      );
      pair.time.run(pair.time.clock.now() + SECOND);
    }
    expect(sizes).toEqual([0, 1, 1472, 1473, 60_000]);
  });

  it('reports a closed port to a connected socket by ICMP', () => {
    const pair = createPair();
    const client = pair.a.udp();
    const errors: NetError[] = [];
    client.onError = (error) => errors.push(error);
    client.connect(pair.addressB, 9);
    client.send(Uint8Array.of(1));
    pair.time.run(SECOND);
    expect(errors).toMatchObject([{ code: 'ECONNREFUSED' }]);
  });

  it('says clearly what cannot be', () => {
    const pair = createPair();
    expect(() => pair.a.udp({ host: '10.0.0.99' })).toThrow(/EADDRNOTAVAIL/);
    pair.a.udp({ port: 53 });
    expect(() => pair.a.udp({ port: 53 })).toThrow(/EADDRINUSE/);
    expect(() => pair.a.udp().send(new Uint8Array(70_000), 9, '10.0.0.2')).toThrow(/EMSGSIZE/);
    expect(() => pair.a.udp().send(new Uint8Array(1), 9, '8.8.8.8')).toThrow(/ENETUNREACH/);
    expect(() => pair.a.connect({ host: 'nowhere', port: 80 })).toThrow(/EINVAL.*not an IPv4 address/);
    expect(() => pair.a.connect({ host: '10.0.0.2', port: 70_000 })).toThrow(/EINVAL.*70000/);
    expect(() => pair.a.listen({ port: -1, onFlow: () => {} })).toThrow(/EINVAL/);
    expect(() => pair.a.connect({ host: '224.0.0.1', port: 80 })).toThrow(/EINVAL/);
  });
});

import { Memory } from '@qanat/bytes';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteRing, RING_BROKEN } from '../src/xenstore/byte-ring.ts';
import {
  encodeMessage,
  MessageReader,
  MessageWriter,
  READ_BAD_INDEX,
  READ_BAD_LENGTH,
  READ_EMPTY,
  type XenstoreMessage,
} from '../src/xenstore/message.ts';
import * as wire from '../src/xenstore/wire.ts';

const PAGE = 4096;

function ringAt(memory: Memory, startIndex: number): ByteRing {
  memory.u32[(PAGE + wire.XENSTORE_REQ_PROD) >>> 2] = startIndex;
  memory.u32[(PAGE + wire.XENSTORE_REQ_CONS) >>> 2] = startIndex;
  return new ByteRing(
    memory,
    PAGE + wire.XENSTORE_REQ,
    wire.XENSTORE_RING_BYTES,
    PAGE + wire.XENSTORE_REQ_PROD,
    PAGE + wire.XENSTORE_REQ_CONS,
  );
}

const startIndex = fc.oneof(fc.constantFrom(0, 0xffff_ff00, 0xffff_ffff, 0x7fff_ffff), fc.nat(0xffff_ffff));

describe('the layout of the page', () => {
  test('lies where xs_wire.h puts it', () => {
    expect([wire.XENSTORE_REQ, wire.XENSTORE_RSP, wire.XENSTORE_RING_BYTES]).toEqual([0, 1024, 1024]);
    expect([wire.XENSTORE_REQ_CONS, wire.XENSTORE_REQ_PROD]).toEqual([2048, 2052]);
    expect([wire.XENSTORE_RSP_CONS, wire.XENSTORE_RSP_PROD]).toEqual([2056, 2060]);
    expect([wire.XENSTORE_SERVER_FEATURES, wire.XENSTORE_CONNECTION, wire.XENSTORE_ERROR]).toEqual([2064, 2068, 2072]);
  });

  test('a READ of "name" has the bytes that Linux sends', () => {
    expect([...encodeMessage(wire.XS_READ, 7, 0x0102, wire.bytesOfLatin1('name\0'))]).toEqual([
      2, 0, 0, 0, 7, 0, 0, 0, 2, 1, 0, 0, 5, 0, 0, 0, 0x6e, 0x61, 0x6d, 0x65, 0,
    ]);
  });
});

describe('the byte ring', () => {
  test('carries any bytes in any chunks across the end and across 2^32', () => {
    fc.assert(
      fc.property(
        startIndex,
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 1500 })), { maxLength: 60 }),
        (start, steps) => {
          const memory = Memory.create({ bytes: 65536, kernel: 'typescript' });
          const ring = ringAt(memory, start);
          const guard = memory.u8.slice(PAGE + 1024, PAGE + 2048);
          const bytes = new Uint8Array(1500);
          let sent = 0;
          let received = 0;
          for (const [write, length] of steps) {
            if (write) {
              for (let i = 0; i < length; i++) bytes[i] = (sent + i) * 7;
              const taken = ring.write(bytes, 0, length);
              expect(taken).toBe(Math.min(length, 1024 - (sent - received)));
              sent += taken;
            } else {
              const came = ring.read(bytes, 0, length);
              expect(came).toBe(Math.min(length, sent - received));
              let wrong = 0;
              for (let i = 0; i < came; i++) if (bytes[i] !== (((received + i) * 7) & 0xff)) wrong++;
              expect(wrong).toBe(0);
              received += came;
            }
            expect(ring.available).toBe(sent - received);
          }
          expect(Buffer.compare(memory.u8.slice(PAGE + 1024, PAGE + 2048), guard)).toBe(0);
        },
      ),
    );
  });

  test('neither end trusts indices that are more than a ring apart', () => {
    fc.assert(
      fc.property(startIndex, fc.integer({ min: 1025, max: 0xffff_ffff }), (start, distance) => {
        const memory = Memory.create({ bytes: 65536, kernel: 'typescript' });
        const ring = ringAt(memory, start);
        memory.u32[(PAGE + wire.XENSTORE_REQ_PROD) >>> 2] = start + distance;
        const before = memory.u8.slice();
        expect(ring.write(new Uint8Array(10), 0, 10)).toBe(RING_BROKEN);
        expect(ring.read(new Uint8Array(10), 0, 10)).toBe(RING_BROKEN);
        expect(ring.available).toBe(RING_BROKEN);
        expect(Buffer.compare(memory.u8, before)).toBe(0);
      }),
    );
  });

  test('a producer that sleeps on a full ring is woken, whatever the interleaving', () => {
    fc.assert(
      fc.property(
        startIndex,
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 700 })), { maxLength: 80 }),
        (start, steps) => {
          const memory = Memory.create({ bytes: 65536, kernel: 'typescript' });
          const ring = ringAt(memory, start);
          const bytes = new Uint8Array(4096);
          let asleep = false;
          for (const [producer, length] of steps) {
            if (producer) {
              if (!asleep) asleep = ring.write(bytes, 0, length) < length;
            } else {
              const came = ring.read(bytes, 0, length);
              if (ring.producerWaits) asleep = false;
              if (came > 0) expect(asleep).toBe(false);
            }
          }
        },
      ),
    );
  });
});

function show({ type, reqId, txId, payload }: XenstoreMessage): string {
  return `${type} ${reqId} ${txId} ${Buffer.from(payload).toString('hex')}`;
}

describe('messages', () => {
  const message = fc.record({
    type: fc.nat(0xffff_ffff),
    reqId: fc.nat(0xffff_ffff),
    txId: fc.nat(0xffff_ffff),
    payload: fc.uint8Array({ maxLength: 4096 }),
  });

  test('come out as they went in, though the ring holds a quarter of the largest', () => {
    fc.assert(
      fc.property(
        startIndex,
        fc.array(message, { maxLength: 12 }),
        fc.infiniteStream(fc.boolean()),
        (start, all, coin) => {
          const ring = ringAt(Memory.create({ bytes: 65536, kernel: 'typescript' }), start);
          const writer = new MessageWriter();
          const reader = new MessageReader();
          for (const { type, reqId, txId, payload } of all) writer.push(encodeMessage(type, reqId, txId, payload));
          const came = [];
          for (let i = 0; i < 1000 && came.length < all.length; i++) {
            if (coin.next().value) writer.flush(ring);
            else {
              const next = reader.read(ring);
              if (typeof next === 'number') expect(next).toBe(READ_EMPTY);
              else came.push(next);
            }
          }
          expect(came.map(show)).toEqual(all.map(show));
          expect(writer.length).toBe(0);
          expect(writer.queuedBytes).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('survive being fed byte by byte', () => {
    const ring = ringAt(Memory.create({ bytes: 65536, kernel: 'typescript' }), 0xffff_fffe);
    const bytes = encodeMessage(1, 2, 3, new Uint8Array([9, 8, 7]));
    const reader = new MessageReader();
    for (let i = 0; i < bytes.length - 1; i++) {
      ring.write(bytes, i, 1);
      expect(reader.read(ring)).toBe(READ_EMPTY);
    }
    ring.write(bytes, bytes.length - 1, 1);
    expect(reader.read(ring)).toEqual({ type: 1, reqId: 2, txId: 3, payload: new Uint8Array([9, 8, 7]) });
  });

  test('longer than 4096 bytes are refused before anything is kept', () => {
    const ring = ringAt(Memory.create({ bytes: 65536, kernel: 'typescript' }), 0);
    ring.write(encodeMessage(1, 1, 0, new Uint8Array(4097)), 0, 16);
    expect(new MessageReader().read(ring)).toBe(READ_BAD_LENGTH);
  });

  test('are not read past impossible indices', () => {
    const memory = Memory.create({ bytes: 65536, kernel: 'typescript' });
    const ring = ringAt(memory, 0);
    memory.u32[(PAGE + wire.XENSTORE_REQ_PROD) >>> 2] = 5000;
    expect(new MessageReader().read(ring)).toBe(READ_BAD_INDEX);
  });
});

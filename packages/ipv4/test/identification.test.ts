import { seededRandom } from '@qanat/clock';
import { expect, test } from 'vitest';
import { Identification } from '../src/index.ts';

test('65536 datagrams to one host carry 65536 different IDs', () => {
  const ids = new Identification(seededRandom(1), 1024);
  const seen = new Set(Array.from({ length: 0x10000 }, () => ids.next(1, 2, 17)));
  expect(seen.size).toBe(0x10000);
});

test('atomic datagrams in a row differ', () => {
  const ids = new Identification(seededRandom(1), 16);
  expect(new Set(Array.from({ length: 1000 }, () => ids.atomic())).size).toBe(1000);
});

test('what is sent to one host says nothing about another, and a new seed gives other IDs', () => {
  const ids = new Identification(seededRandom(1), 1024);
  const first = ids.next(1, 2, 17);
  ids.next(1, 3, 17);
  ids.next(1, 2, 1);
  expect(ids.next(1, 2, 17)).toBe((first + 1) & 0xffff);
  expect(new Identification(seededRandom(2), 1024).next(1, 2, 17)).not.toBe(first);
});

test('hosts spread over the counters', () => {
  const ids = new Identification(seededRandom(3), 1024);
  const counters = new Set(Array.from({ length: 1024 }, (_, i) => ids.next(1, 0x0a000000 + i, 6)));
  expect(counters.size).toBeGreaterThan(550);
});

import { describe, expect, it } from 'vitest';
import { Connection } from '../src/connection.ts';
import { DormantState } from '../src/dormant-state.ts';
import { Harness } from './harness.ts';

type Fields = Record<string, unknown>;

/** What says who a connection is, and what is empty while it sleeps. */
const APART =
  /^(tcp|config|path|local.*|remote.*|headerSum|flowHash|slot|generation|user|parent|observer|state|snd|rcv|rtx|rtt|rack|cc|model|timer|eors|counters|mtuProbe|touched|cookie)$/;
/** In the retransmission queue: empty, apart from its counters. */
const EMPTY =
  /^(head|tail|seq|len|flags|sentUs|order|deliveredUs|firstSentUs|delivered|lostBefore|flight|lossListener)$/;

describe('a connection that is stored away', () => {
  it('comes back with every number, flag and word that it had', () => {
    const t = new Harness();
    t.listen();
    t.accept('mss 1000');
    const c = t.c;
    c.rtx.clear();
    const parts = (of: Connection): Fields[] => [of, of.rtt, of.rack, of.rtx] as unknown as Fields[];
    const fresh = (): Connection => new Connection(c.tcp, c.config, c.path, 0, 0, 0, 0);
    const expected: Fields[] = [];
    let number = 1000;
    for (const [i, part] of parts(c).entries()) {
      const values: Fields = {};
      for (const name of Object.keys(part)) {
        if ((i === 0 && APART.test(name)) || (i === 3 && EMPTY.test(name))) continue;
        const value = part[name];
        if (typeof value === 'boolean') part[name] = !value;
        else if (typeof value === 'number') part[name] = number++;
        else part[name] = `word ${number++}`;
        values[name] = part[name];
      }
      expected.push(values);
    }
    expect(expected.flatMap((values) => Object.keys(values)).length).toBeGreaterThan(140);
    const state = new DormantState();
    const rare = state.rarities(c, fresh);
    expect(rare).toBeTruthy();
    const row = state.saveIdle(c);
    const back = fresh();
    state.restoreIdle(back, row, rare as Exclude<typeof rare, false>);
    for (const [i, part] of parts(back).entries()) {
      const names = Object.keys(expected[i]!);
      expect(Object.fromEntries(names.map((name) => [name, part[name]]))).toEqual(expected[i]);
    }
    expect([back.state, back.snd.una, back.rcv.nextSeq]).toEqual([c.state, c.sndNxt, c.rcvNxt]);
  });

  it('is nothing but a row where it is as most are', () => {
    const t = new Harness({ mtuProbing: 'blackhole' });
    t.listen();
    t.accept('mss 1000');
    const c = t.c;
    const state = new DormantState();
    expect(state.rarities(c, () => new Connection(c.tcp, c.config, c.path, 0, 0, 0, 0))).toBeUndefined();
    const row = state.saveIdle(c);
    const back = new Connection(c.tcp, c.config, c.path, 0, 0, 0, 0);
    state.restoreIdle(back, row, undefined);
    expect(back.mtuProbe).toEqual(c.mtuProbe);
    expect(c.mtuProbe).toBeDefined();
  });

  it('stays as it is with a number too large for its column, or something that is no number', () => {
    const t = new Harness();
    t.listen();
    t.accept('mss 1000');
    const c = t.c;
    const fresh = (): Connection => new Connection(c.tcp, c.config, c.path, 0, 0, 0, 0);
    const state = new DormantState();
    c.segsIn = 2 ** 32;
    expect(state.rarities(c, fresh)).toBe(false);
    c.segsIn = 1;
    c.cookie = new Uint8Array(8);
    expect(state.rarities(c, fresh)).toBe(false);
    c.cookie = undefined;
    expect(state.rarities(c, fresh)).not.toBe(false);
  });
});

describe('the rows', () => {
  it('come and go by chunks: what thousands took is given back', () => {
    const { waits } = new DormantState();
    const rows = Array.from({ length: 5000 }, () => waits.take());
    expect(new Set(rows).size).toBe(5000);
    const most = waits.bytes;
    expect(most).toBeLessThan(5000 * 128);
    for (const row of rows) {
      waits.ints(row)[waits.intsAt(row)] = row;
      waits.doubles(row)[waits.doublesAt(row)] = row + 0.5;
    }
    for (const row of rows) {
      expect([waits.ints(row)[waits.intsAt(row)], waits.doubles(row)[waits.doublesAt(row)]]).toEqual([row, row + 0.5]);
    }
    for (const row of rows.filter((_, i) => i % 7 !== 0)) waits.free(row);
    const again = Array.from({ length: 4000 }, () => waits.take());
    expect(waits.bytes).toBe(most);
    for (const row of [...again, ...rows.filter((_, i) => i % 7 === 0)]) waits.free(row);
    expect(waits.rows).toBe(0);
    expect(waits.bytes).toBeLessThan(most / 5);
  });
});

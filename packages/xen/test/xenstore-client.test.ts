import { describe, expect, test } from 'vitest';
import { XenstoreMachine } from './xenstore-harness.ts';

describe('a domain and its xenstore', () => {
  test('writes and reads by absolute and relative path, in UTF-8', () => {
    const machine = new XenstoreMachine();
    const { client, domid } = machine.domain();
    expect(machine.ask((cb) => client.write('data/naïve', 'x', cb))).toBe('EINVAL');
    expect(machine.ask((cb) => client.write('data/greeting', 'grüß Gott ✓', cb))).toBe('ok');
    expect(machine.ask((cb) => client.read('data/greeting', cb))).toBe('grüß Gott ✓');
    expect(machine.ask((cb) => client.read(`/local/domain/${domid}/data/greeting`, cb))).toBe('grüß Gott ✓');
    expect(machine.ask((cb) => client.directory('data', cb))).toEqual(['greeting']);
  });

  test('an empty value, a missing node, a directory of nothing', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    machine.ask((cb) => client.write('empty', '', cb));
    expect(machine.ask((cb) => client.read('empty', cb))).toBe('');
    expect(machine.ask((cb) => client.directory('empty', cb))).toEqual([]);
    expect(machine.ask((cb) => client.read('missing', cb))).toBe('ENOENT');
    expect(machine.ask((cb) => client.directory('missing', cb))).toBe('ENOENT');
  });

  test('mkdir makes parents and leaves what is there', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    machine.ask((cb) => client.write('a/b', 'kept', cb));
    expect(machine.ask((cb) => client.mkdir('a/b', cb))).toBe('ok');
    expect(machine.ask((cb) => client.mkdir('a/c/d/e', cb))).toBe('ok');
    expect(machine.ask((cb) => client.read('a/b', cb))).toBe('kept');
    expect(machine.ask((cb) => client.read('a/c/d', cb))).toBe('');
    expect(machine.ask((cb) => client.directory('a', cb))).toEqual(['b', 'c']);
  });

  test('rm takes the subtree; of a missing node it is no error, below a missing one it is', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    machine.ask((cb) => client.write('a/b/c', '1', cb));
    expect(machine.ask((cb) => client.rm('a', cb))).toBe('ok');
    expect(machine.ask((cb) => client.read('a/b/c', cb))).toBe('ENOENT');
    expect(machine.ask((cb) => client.rm('a', cb))).toBe('ok');
    expect(machine.ask((cb) => client.rm('a/b', cb))).toBe('ENOENT');
    expect(machine.ask((cb) => machine.admin.rm('/', cb))).toBe('EINVAL');
  });

  test('more requests than the ring holds wait and are answered in order', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    const order: number[] = [];
    const value = 'v'.repeat(1900);
    for (let i = 0; i < 200; i++) client.write(`n${i}`, value, (error) => order.push(error ? -1 : i));
    expect(client.outstanding).toBe(200);
    machine.run();
    expect(order).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(machine.ask((cb) => client.read('n199', cb))).toBe(value);
  });

  test('an answer of almost 4096 bytes comes through the 1024-byte ring', () => {
    const machine = new XenstoreMachine();
    const value = 'x'.repeat(4000);
    machine.ask((cb) => machine.admin.write('/big', value, cb));
    expect(machine.ask((cb) => machine.admin.read('/big', cb))).toBe(value);
    expect(machine.ask((cb) => machine.admin.write('/big', 'x'.repeat(4096), cb))).toBe('EINVAL');
  });

  test('readMany tells missing nodes from errors', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    machine.ask((cb) => client.write('a', '1', cb));
    machine.ask((cb) => machine.admin.write('/secret', 's', cb));
    expect(machine.ask((cb) => client.readMany(['a', 'b'], cb))).toEqual(['1', undefined]);
    expect(machine.ask((cb) => client.readMany(['a', '/secret'], cb))).toBe('EACCES');
    expect(machine.ask((cb) => client.readMany([], cb))).toEqual([]);
  });

  test('waitFor calls back when the value is right, once, and can be given up', () => {
    const machine = new XenstoreMachine();
    const { client, domid } = machine.domain();
    const seen: unknown[] = [];
    client.waitFor(
      'state',
      (value) => value === '4',
      (error, value) => seen.push(error?.code ?? value),
    );
    const given = client.waitFor(
      'state',
      () => false,
      () => seen.push('never'),
    );
    machine.run();
    for (const state of ['1', '2', '4', '4', '5']) {
      machine.ask((cb) => machine.admin.write(`/local/domain/${domid}/state`, state, cb));
    }
    given.cancel();
    machine.run();
    expect(seen).toEqual(['4']);
    client.waitFor(
      '/nobody',
      () => true,
      (error, value) => seen.push(error?.code ?? value),
    );
    machine.run();
    expect(seen).toEqual(['4', 'EACCES']);
  });

  test('callbacks never run inside the call, and after close everything fails with EIO', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    const log: string[] = [];
    client.read('bad path', (error) => log.push(`bad ${error?.code}`));
    client.read('missing', (error) => log.push(`open ${error?.code}`));
    expect(log).toEqual([]);
    client.close();
    expect(log).toEqual(['open EIO']);
    client.read('missing', (error) => log.push(`closed ${error?.code}`));
    machine.run();
    expect(log).toEqual(['open EIO', 'bad EINVAL', 'closed EIO']);
  });

  test('too many requests at once fail with EBUSY instead of growing for ever', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    const outcomes = new Map<string, number>();
    for (let i = 0; i < 5000; i++) {
      client.read('missing', (error) => outcomes.set(error!.code, (outcomes.get(error!.code) ?? 0) + 1));
    }
    machine.run();
    expect(Object.fromEntries(outcomes)).toEqual({ ENOENT: 4096, EBUSY: 904 });
  });

  test('the paths of domains, and who is introduced', () => {
    const machine = new XenstoreMachine();
    const { client, domid } = machine.domain();
    expect(machine.ask((cb) => client.getDomainPath(7, cb))).toBe('/local/domain/7');
    expect(machine.ask((cb) => client.getDomainPath(99999, cb))).toBe('EINVAL');
    expect(machine.ask((cb) => machine.admin.isDomainIntroduced(domid, cb))).toBe(true);
    expect(machine.ask((cb) => machine.admin.isDomainIntroduced(99, cb))).toBe(false);
    expect(machine.ask((cb) => client.isDomainIntroduced(domid, cb))).toBe('EACCES');
    expect(machine.ask((cb) => client.introduce(5, 1, 1, cb))).toBe('EACCES');
    expect(machine.ask((cb) => machine.admin.introduce(99, 1, 1, cb))).toBe('EINVAL');
    expect(machine.ask((cb) => machine.admin.introduce(domid, 1, 1, cb))).toBe('EINVAL');
    expect(machine.ask((cb) => machine.admin.releaseDomain(99, cb))).toBe('ENOENT');
  });

  test('costs two events per round trip, not a storm', () => {
    const machine = new XenstoreMachine();
    const { client, kernel } = machine.domain();
    const before = [kernel.events, machine.dom0.events];
    for (let i = 0; i < 10; i++) machine.ask((cb) => client.write('x', `${i}`, cb));
    expect([kernel.events - before[0]!, machine.dom0.events - before[1]!]).toEqual([10, 10]);
  });
});

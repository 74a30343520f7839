import { describe, expect, test } from 'vitest';
import { XenstoreMachine } from './xenstore-harness.ts';

describe('quotas', () => {
  test('of nodes: made, removed, made again; parents count; Dom0 is free', () => {
    const machine = new XenstoreMachine({ nodes: 10 });
    const { client, domid } = machine.domain();
    // Its home is the first.
    for (let i = 0; i < 7; i++) expect(machine.ask((cb) => client.mkdir(`n${i}`, cb))).toBe('ok');
    expect(machine.ask((cb) => client.write('a/b/c', '', cb))).toBe('ENOSPC');
    expect(machine.ask((cb) => client.read('a', cb))).toBe('ENOENT');
    expect(machine.ask((cb) => client.write('a/b', '', cb))).toBe('ok');
    expect(machine.ask((cb) => client.mkdir('one-more', cb))).toBe('ENOSPC');
    expect(machine.ask((cb) => client.write('a/b', 'new value', cb))).toBe('ok');
    machine.ask((cb) => client.rm('a', cb));
    expect(machine.ask((cb) => client.mkdir('one-more', cb))).toBe('ok');
    for (let i = 0; i < 50; i++) {
      expect(machine.ask((cb) => machine.admin.mkdir(`/local/domain/${domid}/by-dom0-${i}`, cb))).toBe('ok');
    }
    expect(machine.ask((cb) => client.mkdir('other', cb))).toBe('ENOSPC');
  });

  test('of nodes count what Dom0 gives to a domain, and not what it takes', () => {
    const machine = new XenstoreMachine({ nodes: 3 });
    const { client, domid } = machine.domain();
    for (const path of ['/x', '/y']) {
      machine.ask((cb) => machine.admin.write(path, '', cb));
      machine.ask((cb) => machine.admin.setPerms(path, [{ access: 'n', domid }], cb));
    }
    expect(machine.ask((cb) => client.mkdir('a', cb))).toBe('ENOSPC');
    machine.ask((cb) => machine.admin.setPerms('/x', [{ access: 'n', domid: 0 }], cb));
    expect(machine.ask((cb) => client.mkdir('a', cb))).toBe('ok');
  });

  test('of nodes hold within a transaction, and at its end', () => {
    const machine = new XenstoreMachine({ nodes: 3 });
    const { client } = machine.domain();
    const outcome = machine.ask((cb) => client.transaction((tx) => tx.writeAll('d', { a: 1, b: 2 }), cb));
    expect(outcome).toBe('ENOSPC');
    const txId = machine.ask<number>((cb) => client.startTransaction(cb)) as number;
    expect(machine.ask((cb) => client.write('x', '', cb, txId))).toBe('ok');
    expect(machine.ask((cb) => client.write('y', '', cb, txId))).toBe('ok');
    expect(machine.ask((cb) => client.mkdir('z', cb))).toBe('ok');
    // There is room for x, but not for y: neither is made, and nothing is counted.
    expect(machine.ask((cb) => client.endTransaction(txId, true, cb))).toBe('ENOSPC');
    expect(machine.ask((cb) => client.read('x', cb))).toBe('ENOENT');
    expect(machine.ask((cb) => client.mkdir('w', cb))).toBe('ok');
    expect(machine.ask((cb) => client.mkdir('v', cb))).toBe('ENOSPC');
  });

  test('of the size of a node: value, names of children, permissions', () => {
    const machine = new XenstoreMachine();
    const { client, domid } = machine.domain();
    expect(machine.ask((cb) => client.write('v', 'x'.repeat(2044), cb))).toBe('ok');
    expect(machine.ask((cb) => client.write('v', 'x'.repeat(2045), cb))).toBe('ENOSPC');
    expect(machine.ask((cb) => client.write('w', 'x'.repeat(2045), cb))).toBe('ENOSPC');
    expect(machine.ask((cb) => client.read('w', cb))).toBe('ENOENT');
    const outcomes = new Set<unknown>();
    for (let i = 0; i < 30; i++) outcomes.add(machine.ask((cb) => client.mkdir(`d/${'c'.repeat(98)}${10 + i}`, cb)));
    expect([...outcomes]).toEqual(['ok', 'ENOSPC']);
    const perms = Array.from({ length: 6 }, () => ({ access: 'n', domid }) as const);
    expect(machine.ask((cb) => client.setPerms('v', perms, cb))).toBe('ENOSPC');
  });

  test('of watches and transactions', () => {
    const machine = new XenstoreMachine({ watches: 3, transactions: 2 });
    const { client } = machine.domain();
    const errors: string[] = [];
    const watches = ['a', 'b', 'c', 'd'].map((path) =>
      client.watch(
        path,
        () => {},
        (error) => errors.push(`${path} ${error.code}`),
      ),
    );
    machine.run();
    expect(errors).toEqual(['d E2BIG']);
    expect(watches.map(({ active }) => active)).toEqual([true, true, true, false]);
    machine.ask((cb) => client.unwatch(watches[0]!, cb));
    client.watch(
      'd',
      () => {},
      (error) => errors.push(error.code),
    );
    machine.run();
    expect(errors).toHaveLength(1);
    const first = machine.ask<number>((cb) => client.startTransaction(cb)) as number;
    machine.ask<number>((cb) => client.startTransaction(cb));
    expect(machine.ask<number>((cb) => client.startTransaction(cb))).toBe('ENOSPC');
    machine.ask((cb) => client.endTransaction(first, false, cb));
    expect(machine.ask<number>((cb) => client.startTransaction(cb))).toBeTypeOf('number');
  });

  test('of what one transaction may look at', () => {
    const machine = new XenstoreMachine({ transactionNodes: 5 });
    const { client } = machine.domain();
    const txId = machine.ask<number>((cb) => client.startTransaction(cb)) as number;
    for (let i = 0; i < 5; i++) expect(machine.ask((cb) => client.read(`missing${i}`, cb, txId))).toBe('ENOENT');
    expect(machine.ask((cb) => client.read('missing5', cb, txId))).toBe('ENOSPC');
    expect(machine.ask((cb) => client.rm('missing6', cb, txId))).toBe('ENOSPC');
  });

  test('of events: a client that does not read gets them merged, and misses no path for good', () => {
    const machine = new XenstoreMachine({ eventsPerWatch: 4 });
    const { client, kernel, domid } = machine.domain();
    const events: string[] = [];
    client.watch('dir', (path) => events.push(path));
    machine.run();
    events.length = 0;
    // It sleeps; its ring takes some events, a few wait, and the rest become one for "dir".
    machine.kernels.splice(machine.kernels.indexOf(kernel), 1);
    for (let i = 0; i < 300; i++) {
      machine.ask((cb) => machine.admin.write(`/local/domain/${domid}/dir/n${i}`, '', cb));
    }
    machine.kernels.push(kernel);
    machine.run();
    expect(events[0]).toBe('dir/n0');
    expect(events.at(-1)).toBe('dir');
    expect(events.length).toBeLessThan(60);
    machine.ask((cb) => machine.admin.write(`/local/domain/${domid}/dir/last`, '', cb));
    expect(events.at(-1)).toBe('dir/last');
  });
});

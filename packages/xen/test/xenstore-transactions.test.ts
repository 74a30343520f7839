import type { XenstoreClient, XenstoreErrorCode } from '@qanat/xen';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { XenstoreMachine } from './xenstore-harness.ts';

/** A transaction whose steps the test takes one by one. */
function begin(machine: XenstoreMachine, client: XenstoreClient) {
  const txId = machine.ask<number>((cb) => client.startTransaction(cb)) as number;
  return {
    read: (path: string) => machine.ask((cb) => client.read(path, cb, txId)),
    write: (path: string, value: string) => machine.ask((cb) => client.write(path, value, cb, txId)),
    mkdir: (path: string) => machine.ask((cb) => client.mkdir(path, cb, txId)),
    rm: (path: string) => machine.ask((cb) => client.rm(path, cb, txId)),
    directory: (path: string) => machine.ask((cb) => client.directory(path, cb, txId)),
    end: (commit = true) => machine.ask((cb) => client.endTransaction(txId, commit, cb)),
  };
}

describe('transactions', () => {
  test('see the store as it was at the start, and their own changes; others see neither until the end', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    machine.ask((cb) => client.write('a', '1', cb));
    const tx = begin(machine, client);
    machine.ask((cb) => client.write('b', '2', cb));
    expect(tx.read('b')).toBe('ENOENT');
    expect(tx.write('c/d', '3')).toBe('ok');
    expect(tx.read('c/d')).toBe('3');
    expect(machine.ask((cb) => client.read('c/d', cb))).toBe('ENOENT');
    expect(tx.end(false)).toBe('ok');
    expect(machine.ask((cb) => client.read('c/d', cb))).toBe('ENOENT');
    expect(tx.end()).toBe('ENOENT');
  });

  const conflicts: [string, (machine: XenstoreMachine, client: XenstoreClient) => unknown, string][] = [
    ['a node it read was written', (m, c) => m.ask((cb) => c.write('read', 'new', cb)), 'EAGAIN'],
    ['a node it wrote was written', (m, c) => m.ask((cb) => c.write('written', 'new', cb)), 'EAGAIN'],
    ['a node it missed was made', (m, c) => m.ask((cb) => c.mkdir('missing', cb)), 'EAGAIN'],
    ['a directory it listed got a child', (m, c) => m.ask((cb) => c.mkdir('listed/child', cb)), 'EAGAIN'],
    ['a directory it listed lost a child', (m, c) => m.ask((cb) => c.rm('listed/old', cb)), 'EAGAIN'],
    ['something below a node it removed was written', (m, c) => m.ask((cb) => c.write('gone/x/y', '', cb)), 'EAGAIN'],
    ['something below a directory it listed was written', (m, c) => m.ask((cb) => c.write('listed/old', '', cb)), 'ok'],
    ['an unrelated node was written', (m, c) => m.ask((cb) => c.write('unrelated', '', cb)), 'ok'],
    ['a sibling of a node it wrote was made', (m, c) => m.ask((cb) => c.mkdir('dir/sibling', cb)), 'ok'],
    ['nothing happened', () => undefined, 'ok'],
  ];
  for (const [name, meanwhile, outcome] of conflicts) {
    test(`${outcome} when ${name}`, () => {
      const machine = new XenstoreMachine();
      const { client, domid } = machine.domain();
      for (const path of ['read', 'written', 'listed/old', 'gone/x/y', 'dir/own']) {
        machine.ask((cb) => client.write(path, 'old', cb));
      }
      const tx = begin(machine, client);
      tx.read('read');
      tx.read('missing');
      tx.directory('listed');
      tx.write('written', 'tx');
      tx.write('dir/own', 'tx');
      tx.rm('gone');
      meanwhile(machine, client);
      expect(tx.end()).toBe(outcome);
      const base = `/local/domain/${domid}`;
      expect(machine.ask((cb) => machine.admin.read(`${base}/dir/own`, cb))).toBe(outcome === 'ok' ? 'tx' : 'old');
    });
  }

  test('that only read always succeed: they had a snapshot', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    machine.ask((cb) => client.write('a', '1', cb));
    const tx = begin(machine, client);
    expect(tx.read('a')).toBe('1');
    machine.ask((cb) => client.write('a', '2', cb));
    expect(tx.read('a')).toBe('1');
    expect(tx.end()).toBe('ok');
  });

  test('fire watches at the end, once per change, and not at all when they fail', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    const events: string[] = [];
    client.watch('dir', (path) => events.push(path));
    machine.run();
    events.length = 0;
    const tx = begin(machine, client);
    tx.write('dir/a', '1');
    tx.write('dir/b', '2');
    expect(events).toEqual([]);
    tx.end();
    expect(events).toEqual(['dir/a', 'dir/b']);
    const failing = begin(machine, client);
    failing.write('dir/a', '3');
    machine.ask((cb) => client.write('dir/a', '4', cb));
    events.length = 0;
    expect(failing.end()).toBe('EAGAIN');
    expect(events).toEqual([]);
  });

  test('of the client commit by themselves and start over on a conflict', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    machine.ask((cb) => client.write('counter', '0', cb));
    let runs = 0;
    let done: XenstoreErrorCode | undefined | 'pending' = 'pending';
    client.transaction(
      (tx) => {
        runs++;
        tx.read('counter', (_error, value) => {
          if (runs < 4) client.write('counter', `${Number(value) + 10}`);
          tx.write('counter', `${Number(value) + 1}`);
        });
      },
      (error) => {
        done = error?.code;
      },
    );
    machine.run();
    expect([runs, done]).toEqual([4, undefined]);
    expect(machine.ask((cb) => client.read('counter', cb))).toBe('31');
  });

  test('of the client give up after so many attempts, or abort', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    machine.ask((cb) => client.write('x', '0', cb));
    let runs = 0;
    const clash = machine.ask((cb) =>
      client.transaction(
        (tx) => {
          runs++;
          tx.read('x', () => {
            client.write('x', `${runs}`);
            tx.write('y', '1');
          });
        },
        cb,
        5,
      ),
    );
    expect([clash, runs]).toEqual(['EAGAIN', 5]);
    const denied = machine.ask((cb) =>
      client.transaction((tx) => {
        tx.write('z', '1');
        tx.write('/not-mine', '1');
      }, cb),
    );
    expect(denied).toBe('EACCES');
    expect(machine.ask((cb) => client.read('z', cb))).toBe('ENOENT');
    const handled = machine.ask((cb) =>
      client.transaction((tx) => {
        tx.write('z', '1');
        tx.write('/not-mine', '1', () => {});
      }, cb),
    );
    expect(handled).toBe('ok');
    expect(machine.ask((cb) => client.read('z', cb))).toBe('1');
    const aborted = machine.ask((cb) =>
      client.transaction((tx) => {
        tx.writeAll('dir', { a: 1, b: 'two' });
        tx.abort();
      }, cb),
    );
    expect(aborted).toBe('ok');
    expect(machine.ask((cb) => client.directory('dir', cb))).toBe('ENOENT');
  });

  test('in any interleaving equal some serial order', () => {
    // Two clients move units between two nodes; the sum must stay.
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.boolean()), { maxLength: 12 }), (moves) => {
        const machine = new XenstoreMachine();
        const { client } = machine.domain();
        for (const node of ['left', 'right']) machine.ask((cb) => client.write(node, '100', cb));
        let committed = 0;
        for (const [back, both] of moves) {
          const move = (from: string, to: string): void => {
            client.transaction(
              (tx) => {
                tx.readMany([from, to], (_error, values) => {
                  tx.write(from, `${Number(values[0]) - 1}`);
                  tx.write(to, `${Number(values[1]) + 1}`);
                });
              },
              (error) => {
                if (error === undefined) committed++;
              },
            );
          };
          move(back ? 'right' : 'left', back ? 'left' : 'right');
          if (!both) machine.run();
        }
        machine.run();
        expect(committed).toBe(moves.length);
        const values = machine.ask<(string | undefined)[]>((cb) => client.readMany(['left', 'right'], cb));
        expect(Number(values[0]) + Number(values[1])).toBe(200);
        expect(Number(values[0])).toBe(100 + moves.filter(([back]) => back).length * 2 - moves.length);
      }),
      { numRuns: 25 },
    );
  });
});

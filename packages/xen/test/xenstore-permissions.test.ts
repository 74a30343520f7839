import type { Perms, XenstoreAccess, XenstoreClient } from '@qanat/xen';
import { describe, expect, test } from 'vitest';
import { XenstoreMachine } from './xenstore-harness.ts';

/** What somebody may do with a node: r(ead), w(rite), p (set its permissions). */
function rights(machine: XenstoreMachine, client: XenstoreClient, path: string): string {
  const perms = machine.ask<Perms>((cb) => machine.admin.getPerms(path, cb));
  if (typeof perms === 'string') throw new Error(perms);
  let text = '';
  if (machine.ask((cb) => client.read(path, cb)) !== 'EACCES') text += 'r';
  if (machine.ask((cb) => client.write(path, 'value', cb)) !== 'EACCES') text += 'w';
  if (machine.ask((cb) => client.setPerms(path, perms, cb)) !== 'EACCES') text += 'p';
  return text;
}

describe('permissions', () => {
  const machine = new XenstoreMachine();
  const [a, b, c] = [machine.domain(), machine.domain(), machine.domain()];
  const access: XenstoreAccess[] = ['n', 'r', 'w', 'b'];
  const text = { n: '', r: 'r', w: 'w', b: 'rw' };

  for (const everybody of access) {
    for (const listed of access) {
      test(`of an owner, of one listed with ${listed}, and of the others with ${everybody}`, () => {
        const path = `/test/${everybody}${listed}`;
        machine.ask((cb) => machine.admin.write(path, 'x', cb));
        const perms = [
          { access: everybody, domid: a.domid },
          { access: listed, domid: b.domid },
        ];
        expect(machine.ask((cb) => machine.admin.setPerms(path, perms, cb))).toBe('ok');
        expect(machine.ask((cb) => a.client.getPerms(path, cb))).toEqual(perms);
        expect(rights(machine, a.client, path)).toBe('rwp');
        expect(rights(machine, machine.admin, path)).toBe('rwp');
        expect(rights(machine, b.client, path)).toBe(text[listed]);
        expect(rights(machine, c.client, path)).toBe(text[everybody]);
      });
    }
  }

  test('are inherited; what a domain makes is its own', () => {
    machine.ask((cb) => machine.admin.write('/shared', '', cb));
    const perms = [
      { access: 'n', domid: 0 },
      { access: 'b', domid: a.domid },
      { access: 'r', domid: b.domid },
    ] as const;
    machine.ask((cb) => machine.admin.setPerms('/shared', perms, cb));
    expect(machine.ask((cb) => a.client.write('/shared/x/y', '1', cb))).toBe('ok');
    for (const path of ['/shared/x', '/shared/x/y']) {
      expect(machine.ask((cb) => machine.admin.getPerms(path, cb))).toEqual([
        { access: 'n', domid: a.domid },
        ...perms.slice(1),
      ]);
    }
    machine.ask((cb) => machine.admin.write('/shared/z', '1', cb));
    expect(machine.ask((cb) => a.client.getPerms('/shared/z', cb))).toEqual(perms);
    expect(machine.ask((cb) => b.client.read('/shared/x/y', cb))).toBe('1');
    expect(machine.ask((cb) => b.client.write('/shared/x/y', '2', cb))).toBe('EACCES');
    expect(machine.ask((cb) => b.client.rm('/shared/x', cb))).toBe('EACCES');
  });

  test('do not tell a stranger which nodes exist', () => {
    machine.ask((cb) => machine.admin.write('/private/there', '', cb));
    for (const path of ['/private/there', '/private/not-there', '/private/not/there/either']) {
      expect(machine.ask((cb) => a.client.read(path, cb))).toBe('EACCES');
      expect(machine.ask((cb) => a.client.directory(path, cb))).toBe('EACCES');
      expect(machine.ask((cb) => a.client.getPerms(path, cb))).toBe('EACCES');
      expect(machine.ask((cb) => a.client.setPerms(path, [{ access: 'n', domid: a.domid }], cb))).toBe('EACCES');
      expect(machine.ask((cb) => a.client.write(path, '', cb))).toBe('EACCES');
      expect(machine.ask((cb) => a.client.rm(path, cb))).toBe('EACCES');
    }
  });

  test('an owner cannot give a node away, nor take one', () => {
    machine.ask((cb) => a.client.write('mine', '', cb));
    expect(machine.ask((cb) => a.client.setPerms('mine', [{ access: 'n', domid: b.domid }], cb))).toBe('EPERM');
    const stolen = `/local/domain/${b.domid}`;
    expect(machine.ask((cb) => a.client.setPerms(stolen, [{ access: 'n', domid: a.domid }], cb))).toBe('EACCES');
    expect(machine.ask((cb) => a.client.setPerms('mine', [{ access: 'b', domid: a.domid }], cb))).toBe('ok');
    expect(machine.ask((cb) => b.client.write(`/local/domain/${a.domid}/mine`, 'thanks', cb))).toBe('ok');
  });

  test('of a domain that has gone, for another may get its number', () => {
    const gone = machine.domain();
    machine.ask((cb) => gone.client.write('data/x', '1', cb));
    machine.ask((cb) => machine.admin.write('/for-two', '', cb));
    const forTwo = [
      { access: 'n', domid: 0 },
      { access: 'r', domid: gone.domid },
      { access: 'r', domid: a.domid },
    ] as const;
    machine.ask((cb) => machine.admin.setPerms('/for-two', forTwo, cb));
    expect(machine.ask((cb) => machine.admin.releaseDomain(gone.domid, cb))).toBe('ok');
    expect(machine.ask((cb) => machine.admin.read(`/local/domain/${gone.domid}`, cb))).toBe('ENOENT');
    expect(machine.ask((cb) => machine.admin.getPerms('/for-two', cb))).toEqual([forTwo[0], forTwo[2]]);
  });
});

import { describe, expect, test } from 'vitest';
import { XenstoreMachine } from './xenstore-harness.ts';

function watching(machine: XenstoreMachine, path: string, client = machine.admin) {
  const events: string[] = [];
  const watch = client.watch(
    path,
    (changed) => events.push(changed),
    (error) => events.push(error.code),
  );
  machine.run();
  const take = (): string[] => {
    machine.run();
    return events.splice(0);
  };
  return { watch, events, take };
}

describe('watches', () => {
  test('fire once at registration, whether or not the node exists', () => {
    const machine = new XenstoreMachine();
    expect(watching(machine, '/nothing/here').take()).toEqual(['/nothing/here']);
    expect(watching(machine, '/').take()).toEqual(['/']);
  });

  test('hear of the node and all below, but not of what lies beside', () => {
    const machine = new XenstoreMachine();
    const { take } = watching(machine, '/a/b');
    take();
    for (const path of ['/a', '/a/b', '/a/b/c/d', '/a/bc', '/b']) machine.admin.write(path, '1');
    machine.admin.mkdir('/a/b/e');
    machine.admin.mkdir('/a/b/e');
    machine.admin.setPerms('/a/b/c', [{ access: 'r', domid: 0 }]);
    machine.admin.rm('/a/b/c/d');
    machine.admin.rm('/a/b/never');
    expect(take()).toEqual(['/a/b', '/a/b/c/d', '/a/b/e', '/a/b/c', '/a/b/c/d']);
  });

  test('hear when an ancestor is removed, if the node was there', () => {
    const machine = new XenstoreMachine();
    machine.ask((cb) => machine.admin.write('/a/b/c', '', cb));
    const there = watching(machine, '/a/b/c');
    const above = watching(machine, '/a/b');
    const missing = watching(machine, '/a/b/x');
    for (const { take } of [there, above, missing]) take();
    machine.admin.rm('/a');
    expect([there.take(), above.take(), missing.take()]).toEqual([['/a/b/c'], ['/a/b'], []]);
  });

  test('by a relative path hear relative paths', () => {
    const machine = new XenstoreMachine();
    const { client, domid } = machine.domain();
    const { take } = watching(machine, 'device', client);
    expect(take()).toEqual(['device']);
    machine.admin.write(`/local/domain/${domid}/device/vif/0/state`, '1');
    machine.admin.setPerms(`/local/domain/${domid}/device/vif/0/state`, [{ access: 'n', domid }]);
    expect(take()).toEqual(['device/vif/0/state']);
  });

  test('tell nothing about nodes that their owner may not read', () => {
    const machine = new XenstoreMachine();
    const { client, domid } = machine.domain();
    const { take } = watching(machine, '/shop', client);
    expect(take()).toEqual(['/shop']);
    machine.admin.write('/shop/secret', '1');
    machine.admin.write('/shop/open', '1');
    machine.admin.setPerms('/shop/open', [
      { access: 'n', domid: 0 },
      { access: 'r', domid },
    ]);
    expect(take()).toEqual(['/shop/open']);
    machine.admin.setPerms('/shop/open', [{ access: 'n', domid: 0 }]);
    // It lost the right to read, and may know that.
    expect(take()).toEqual(['/shop/open']);
    machine.admin.write('/shop/open', '3');
    machine.admin.rm('/shop');
    expect(take()).toEqual([]);
  });

  test('can be taken back, and are told apart by path and token', () => {
    const machine = new XenstoreMachine();
    const first = watching(machine, '/x');
    const second = watching(machine, '/x');
    first.take();
    second.take();
    machine.ask((cb) => machine.admin.unwatch(first.watch, cb));
    machine.ask((cb) => machine.admin.unwatch(first.watch, cb));
    machine.admin.write('/x', '1');
    expect([first.take(), second.take()]).toEqual([[], ['/x']]);
    expect(machine.admin.strayMessages).toBe(0);
  });

  test('that are unwatched get no event that was on its way', () => {
    const machine = new XenstoreMachine();
    const { watch, events } = watching(machine, '/x');
    events.length = 0;
    machine.admin.write('/x', '1');
    machine.admin.unwatch(watch);
    machine.run();
    expect(events).toEqual([]);
  });

  test('refuse paths that cannot be', () => {
    const machine = new XenstoreMachine();
    for (const path of ['/a//b', '/a/', '@noSuchThing', '@']) {
      expect(watching(machine, path).take()).toEqual(['EINVAL']);
    }
  });

  test('tell Dom0, and nobody else, of domains that come and go', () => {
    const machine = new XenstoreMachine();
    const { client } = machine.domain();
    const introduced = watching(machine, '@introduceDomain');
    const released = watching(machine, '@releaseDomain');
    const spy = watching(machine, '@introduceDomain', client);
    expect([introduced.take(), released.take(), spy.take()]).toEqual([
      ['@introduceDomain'],
      ['@releaseDomain'],
      ['@introduceDomain'],
    ]);
    const guest = machine.domain();
    expect([introduced.take(), released.take(), spy.take()]).toEqual([['@introduceDomain'], [], []]);
    machine.ask((cb) => machine.admin.releaseDomain(guest.domid, cb));
    expect([introduced.take(), released.take()]).toEqual([[], ['@releaseDomain']]);
  });

  test('for domains can be allowed to a domain', () => {
    const machine = new XenstoreMachine();
    const { client, domid } = machine.domain();
    const { take } = watching(machine, '@releaseDomain', client);
    take();
    const perms = [
      { access: 'n', domid: 0 },
      { access: 'r', domid },
    ] as const;
    expect(machine.ask((cb) => client.setPerms('@releaseDomain', perms, cb))).toBe('EACCES');
    expect(machine.ask((cb) => machine.admin.setPerms('@releaseDomain', perms, cb))).toBe('ok');
    expect(machine.ask((cb) => machine.admin.getPerms('@releaseDomain', cb))).toEqual(perms);
    const guest = machine.domain();
    machine.ask((cb) => machine.admin.releaseDomain(guest.domid, cb));
    expect(take()).toEqual(['@releaseDomain']);
  });

  test('hear of a domain that shut down, and xenstored lets go of one that was destroyed', () => {
    const machine = new XenstoreMachine();
    const { kernel, domid } = machine.domain();
    const { take } = watching(machine, '@releaseDomain');
    take();
    kernel.hypercalls.schedShutdown(0);
    expect(take()).toEqual(['@releaseDomain']);
    const free = machine.hypervisor.freeBytes;
    machine.hypervisor.destroyDomain(domid);
    machine.kernels.pop();
    expect(take()).toEqual(['@releaseDomain']);
    expect(machine.xenstored.isIntroduced(domid)).toBe(false);
    expect(machine.hypervisor.domain(domid)).toBeUndefined();
    expect(machine.hypervisor.freeBytes).toBeGreaterThan(free);
  });
});

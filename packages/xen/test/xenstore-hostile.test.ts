import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeMessage } from '../src/xenstore/message.ts';
import * as wire from '../src/xenstore/wire.ts';
import { XenstoreMachine } from './xenstore-harness.ts';

/** A domain without manners: it writes its page itself. */
function hostile(machine: XenstoreMachine) {
  const { kernel, domid, client } = machine.domain();
  const { xenstoreAddr: page, xenstorePort: port } = machine.hypervisor.domain(domid)!;
  const { memory } = kernel;
  const word = (offset: number): number => (page + offset) >>> 2;
  const take = (): Uint8Array[] => {
    const answers: Uint8Array[] = [];
    let bytes: number[] = [];
    for (;;) {
      machine.run();
      let cons = memory.u32[word(wire.XENSTORE_RSP_CONS)]!;
      const prod = memory.u32[word(wire.XENSTORE_RSP_PROD)]!;
      if (cons === prod) break;
      for (; cons !== prod; cons = (cons + 1) >>> 0) bytes.push(memory.u8[page + wire.XENSTORE_RSP + (cons & 1023)]!);
      memory.u32[word(wire.XENSTORE_RSP_CONS)] = cons;
      kernel.hypercalls.evtchnSend(port);
    }
    while (bytes.length >= 16) {
      const length = 16 + bytes[12]! + 256 * bytes[13]!;
      answers.push(Uint8Array.from(bytes.slice(0, length)));
      bytes = bytes.slice(length);
    }
    expect(bytes).toEqual([]);
    return answers;
  };
  kernel.handlers.clear();
  return {
    domid,
    client,
    kernel,
    word: (offset: number) => memory.u32[word(offset)]!,
    set: (offset: number, value: number) => {
      memory.u32[word(offset)] = value;
      kernel.hypercalls.evtchnSend(port);
      machine.run();
    },
    send: (bytes: Uint8Array) => {
      let prod = memory.u32[word(wire.XENSTORE_REQ_PROD)]!;
      for (const byte of bytes) {
        memory.u8[page + wire.XENSTORE_REQ + (prod & 1023)] = byte;
        prod = (prod + 1) >>> 0;
        if ((prod - memory.u32[word(wire.XENSTORE_REQ_CONS)]!) >>> 0 === 1024) {
          memory.u32[word(wire.XENSTORE_REQ_PROD)] = prod;
          kernel.hypercalls.evtchnSend(port);
          machine.run();
        }
      }
      memory.u32[word(wire.XENSTORE_REQ_PROD)] = prod;
      kernel.hypercalls.evtchnSend(port);
    },
    take,
    /** Sends a request and tells the answer's type and text. */
    ask(type: number, payload: string, txId = 0): string {
      this.send(encodeMessage(type, 1, txId, wire.bytesOfLatin1(payload)));
      const answers = take();
      expect(answers).toHaveLength(1);
      const answer = answers[0]!;
      return `${answer[0] === wire.XS_ERROR ? '!' : ''}${wire.latin1OfBytes(answer, 16)}`;
    },
  };
}

/** Others are served as if nothing had happened. */
function expectAlive(machine: XenstoreMachine): void {
  const other = machine.domain();
  expect(machine.ask((cb) => other.client.write('x', '1', cb))).toBe('ok');
  expect(machine.ask((cb) => other.client.read('x', cb))).toBe('1');
}

describe('a hostile client', () => {
  test('gets an answer to every request, however wrong', () => {
    const machine = new XenstoreMachine();
    const guest = hostile(machine);
    const wrong: [number, string, string][] = [
      [wire.XS_READ, '', '!EINVAL\0'],
      [wire.XS_READ, 'no-nul', '!EINVAL\0'],
      [wire.XS_READ, 'two\0strings\0', '!EINVAL\0'],
      [wire.XS_READ, '\0', '!EINVAL\0'],
      [wire.XS_READ, '/a//b\0', '!EINVAL\0'],
      [wire.XS_READ, '/a/\0', '!EINVAL\0'],
      [wire.XS_READ, '/a/../b\0', '!EINVAL\0'],
      [wire.XS_READ, 'caf\xe9\0', '!EINVAL\0'],
      [wire.XS_READ, `/${'x'.repeat(3072)}\0`, '!EINVAL\0'],
      [wire.XS_READ, `${'x'.repeat(2049)}\0`, '!EINVAL\0'],
      [wire.XS_WRITE, 'no-nul', '!EINVAL\0'],
      [wire.XS_MKDIR, 'x\0y', '!EINVAL\0'],
      [wire.XS_RM, 'x\0y\0', '!EINVAL\0'],
      [wire.XS_SET_PERMS, 'x\0', '!EINVAL\0'],
      [wire.XS_SET_PERMS, 'x\0q1\0', '!EINVAL\0'],
      [wire.XS_SET_PERMS, 'x\0n99999\0', '!EINVAL\0'],
      [wire.XS_SET_PERMS, 'x\0n1', '!EINVAL\0'],
      [wire.XS_WATCH, 'x\0', '!EINVAL\0'],
      [wire.XS_WATCH, `x\0${'t'.repeat(1001)}\0`, '!EINVAL\0'],
      [wire.XS_WATCH, 'x\0t\0u\0', '!EINVAL\0'],
      [wire.XS_UNWATCH, 'x\0t\0', '!ENOENT\0'],
      [wire.XS_TRANSACTION_END, 'T\0', '!ENOENT\0'],
      [wire.XS_TRANSACTION_END, 'maybe\0', '!EINVAL\0'],
      [wire.XS_GET_DOMAIN_PATH, 'me\0', '!EINVAL\0'],
      [wire.XS_GET_DOMAIN_PATH, '-1\0', '!EINVAL\0'],
      [wire.XS_INTRODUCE, '1\x001\x001\0', '!EACCES\0'],
      [wire.XS_RELEASE, '0\0', '!EACCES\0'],
      [wire.XS_RESUME, '0\0', '!EACCES\0'],
      [wire.XS_IS_DOMAIN_INTRODUCED, '0\0', '!EACCES\0'],
      [wire.XS_SET_TARGET, '1\x002\0', '!ENOSYS\0'],
      [wire.XS_CONTROL, 'print\0', '!ENOSYS\0'],
      [wire.XS_WATCH_EVENT, 'x\0y\0', '!ENOSYS\0'],
      [wire.XS_ERROR, 'x\0', '!ENOSYS\0'],
      [20, '\0', '!ENOSYS\0'],
      [0xffff_ffff, '\0', '!ENOSYS\0'],
    ];
    for (const [type, payload, answer] of wrong) {
      expect([type, payload, guest.ask(type, payload)]).toEqual([type, payload, answer]);
    }
    expect(guest.ask(wire.XS_READ, 'x\0', 77)).toBe('!ENOENT\0');
    expect(guest.ask(wire.XS_TRANSACTION_START, '\0', 77)).toBe('!EBUSY\0');
    expect(guest.ask(wire.XS_WRITE, 'still\0alive')).toBe('OK\0');
    expect(guest.ask(wire.XS_READ, 'still\0')).toBe('alive');
  });

  test('may store any octets', () => {
    const machine = new XenstoreMachine();
    const guest = hostile(machine);
    const octets = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
    expect(guest.ask(wire.XS_WRITE, `x\0${octets}`)).toBe('OK\0');
    expect(guest.ask(wire.XS_READ, 'x\0')).toBe(octets);
  });

  test('RESET_WATCHES drops watches and transactions; DIRECTORY_PART pages through a directory', () => {
    const machine = new XenstoreMachine();
    const guest = hostile(machine);
    const id = Number(guest.ask(wire.XS_TRANSACTION_START, '\0').slice(0, -1));
    guest.send(encodeMessage(wire.XS_WATCH, 1, 0, wire.bytesOfLatin1('x\0t\0')));
    expect(guest.take().map((answer) => answer[0])).toEqual([wire.XS_WATCH, wire.XS_WATCH_EVENT]);
    expect(guest.ask(wire.XS_RESET_WATCHES, '\0')).toBe('OK\0');
    expect(guest.ask(wire.XS_WRITE, 'x\0y')).toBe('OK\0');
    expect(guest.ask(wire.XS_READ, 'x\0', id)).toBe('!ENOENT\0');

    const names = Array.from({ length: 200 }, (_, i) => `${'n'.repeat(27)}${100 + i}`);
    for (const name of names) machine.ask((cb) => machine.admin.mkdir(`/local/domain/${guest.domid}/big/${name}`, cb));
    expect(guest.ask(wire.XS_DIRECTORY, 'big\0')).toBe('!E2BIG\0');
    const got: string[] = [];
    for (let offset = 0, last = false; !last; ) {
      const [, ...part] = guest.ask(wire.XS_DIRECTORY_PART, `big\0${offset}\0`).slice(0, -1).split('\0');
      last = part.at(-1) === '';
      if (last) part.pop();
      got.push(...part);
      offset += part.join('\0').length + 1;
    }
    expect(got).toEqual(names);
    expect(guest.ask(wire.XS_DIRECTORY_PART, 'big\0x\0')).toBe('!EINVAL\0');
  });

  test('that sends too long a payload is cut off, told why, and may reconnect', () => {
    const machine = new XenstoreMachine();
    const guest = hostile(machine);
    expect(guest.word(wire.XENSTORE_SERVER_FEATURES)).toBe(3);
    const header = encodeMessage(wire.XS_READ, 1, 0, new Uint8Array(4097)).slice(0, 16);
    guest.send(header);
    expect(guest.take()).toEqual([]);
    expect(guest.word(wire.XENSTORE_ERROR)).toBe(wire.XENSTORE_ERROR_PROTO);
    guest.send(encodeMessage(wire.XS_READ, 1, 0, wire.bytesOfLatin1('x\0')));
    expect(guest.take()).toEqual([]);
    guest.set(wire.XENSTORE_CONNECTION, wire.XENSTORE_RECONNECT);
    expect(guest.word(wire.XENSTORE_CONNECTION)).toBe(wire.XENSTORE_CONNECTED);
    expect(guest.word(wire.XENSTORE_ERROR)).toBe(wire.XENSTORE_ERROR_NONE);
    expect(guest.word(wire.XENSTORE_REQ_PROD)).toBe(0);
    expect(guest.ask(wire.XS_WRITE, 'x\0back')).toBe('OK\0');
    expectAlive(machine);
  });

  test('that writes impossible indices is cut off', () => {
    for (const offset of [wire.XENSTORE_REQ_PROD, wire.XENSTORE_RSP_CONS]) {
      const machine = new XenstoreMachine();
      const guest = hostile(machine);
      guest.send(encodeMessage(wire.XS_WATCH, 1, 0, wire.bytesOfLatin1('x\0t\0')));
      if (offset === wire.XENSTORE_REQ_PROD) guest.take();
      guest.set(offset, 0x8000_0000);
      guest.send(encodeMessage(wire.XS_READ, 1, 0, wire.bytesOfLatin1('x\0')));
      machine.run();
      expect(guest.word(wire.XENSTORE_ERROR)).toBe(wire.XENSTORE_ERROR_RINGIDX);
      machine.admin.write(`/local/domain/${guest.domid}/x`, '1');
      machine.run();
      expectAlive(machine);
    }
  });

  test('that never reads its answers stops only itself', () => {
    const machine = new XenstoreMachine();
    const guest = hostile(machine);
    const request = encodeMessage(wire.XS_GET_DOMAIN_PATH, 1, 0, wire.bytesOfLatin1('1\0'));
    for (let i = 0; i < 50; i++) guest.send(request);
    for (let i = 0; i < 100; i++) guest.set(wire.XENSTORE_ERROR, 0);
    expect((guest.word(wire.XENSTORE_REQ_PROD) - guest.word(wire.XENSTORE_REQ_CONS)) >>> 0).toBeGreaterThan(0);
    expectAlive(machine);
    expect(guest.take().length).toBe(50);
  });

  test('with many requests and one event gets them all done, in turns', () => {
    const machine = new XenstoreMachine();
    const guest = hostile(machine);
    const request = encodeMessage(wire.XS_GET_DOMAIN_PATH, 1, 0, wire.bytesOfLatin1('x\0'));
    const burst = new Uint8Array(40 * request.length);
    for (let i = 0; i < 40; i++) burst.set(request, i * request.length);
    guest.send(burst);
    machine.dom0.turn();
    expect(guest.word(wire.XENSTORE_REQ_CONS)).toBeLessThan(burst.length);
    machine.run();
    expect(guest.word(wire.XENSTORE_REQ_CONS)).toBe(burst.length);
    expect(guest.take()).toHaveLength(40);
  });

  test('that sends events all the time costs one look each', () => {
    const machine = new XenstoreMachine();
    const guest = hostile(machine);
    const before = machine.dom0.events;
    for (let i = 0; i < 100; i++) guest.set(wire.XENSTORE_ERROR, 0);
    expect(machine.dom0.events - before).toBe(100);
    expect(guest.kernel.events).toBeLessThan(10);
  });

  test('that fills its page with noise harms nobody', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }) }),
            fc.record({
              message: fc.tuple(
                fc.integer({ min: 0, max: 24 }),
                fc.integer({ min: 0, max: 3 }),
                fc.uint8Array({ maxLength: 60 }),
              ),
            }),
            fc.record({ offset: fc.integer({ min: 512, max: 520 }), value: fc.nat(0xffff_ffff) }),
            fc.constant('take' as const),
          ),
          { maxLength: 40 },
        ),
        (steps) => {
          const machine = new XenstoreMachine();
          const guest = hostile(machine);
          const { memory } = guest.kernel;
          const page = machine.hypervisor.domain(guest.domid)!.xenstoreAddr;
          const neighbours = memory.u8.slice(page + 4096, page + 8192);
          for (const step of steps) {
            if (step === 'take') guest.set(wire.XENSTORE_RSP_CONS, guest.word(wire.XENSTORE_RSP_PROD));
            else if ('offset' in step) guest.set(step.offset * 4, step.value);
            else if ('bytes' in step) guest.send(step.bytes);
            else guest.send(encodeMessage(step.message[0], 1, step.message[1], step.message[2]));
            machine.run();
          }
          expect(Buffer.compare(memory.u8.slice(page + 4096, page + 8192), neighbours)).toBe(0);
          expectAlive(machine);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('that names paths of 1500 levels does not overflow the stack', () => {
    const machine = new XenstoreMachine({ nodes: 5000 });
    const { client } = machine.domain();
    const deep = Array.from({ length: 1000 }, () => 'd').join('/');
    expect(machine.ask((cb) => client.mkdir(deep, cb))).toBe('ok');
    expect(machine.ask((cb) => client.write(deep, '1', cb))).toBe('ok');
    expect(machine.ask((cb) => client.rm('d', cb))).toBe('ok');
    expect(machine.ask((cb) => client.read('d', cb))).toBe('ENOENT');
  });
});

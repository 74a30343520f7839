import { Memory } from '@qanat/bytes';
import { Console, ConsoleReader } from '@qanat/xen';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as layout from '../src/console/layout.ts';

const PAGE = 8192;

/** Both ends; events are delivered when `run` is called. */
function makeConsole(backlogBytes?: number, startIndex = 0) {
  const memory = Memory.create({ bytes: 65536, kernel: 'typescript' });
  for (const offset of [
    layout.CONSOLE_IN_CONS,
    layout.CONSOLE_IN_PROD,
    layout.CONSOLE_OUT_CONS,
    layout.CONSOLE_OUT_PROD,
  ]) {
    memory.u32[(PAGE + offset) >>> 2] = startIndex;
  }
  let toGuest = 0;
  let toHost = 0;
  const guest = new Console({
    memory,
    pageAddr: PAGE,
    notify: () => void toHost++,
    ...(backlogBytes === undefined ? {} : { backlogBytes }),
  });
  const host = new ConsoleReader({ memory, pageAddr: PAGE, notify: () => void toGuest++ });
  return {
    memory,
    guest,
    host,
    run: () => {
      for (let i = 0; i < 1000; i++) {
        if (toHost > 0) {
          toHost = 0;
          while (host.poll());
        } else if (toGuest > 0) {
          toGuest = 0;
          guest.onEvent();
        } else return;
      }
      throw new Error('the console does not come to rest');
    },
  };
}

describe('the console', () => {
  test('lies where console.h puts it', () => {
    expect({ ...layout }).toEqual({
      CONSOLE_IN: 0,
      CONSOLE_IN_BYTES: 1024,
      CONSOLE_OUT: 1024,
      CONSOLE_OUT_BYTES: 2048,
      CONSOLE_IN_CONS: 3072,
      CONSOLE_IN_PROD: 3076,
      CONSOLE_OUT_CONS: 3080,
      CONSOLE_OUT_PROD: 3084,
    });
  });

  test('carries text both ways, whatever it is and wherever the indices start', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 400 }), { maxLength: 20 }),
        fc.constantFrom(0, 0xffff_fff0),
        (texts, start) => {
          const { guest, host, run } = makeConsole(undefined, start);
          let typed = '';
          guest.onInput = (text) => {
            typed += text;
          };
          for (const [i, text] of texts.entries()) {
            guest.write(text);
            if (i % 3 === 0) run();
          }
          host.type('hello ✓');
          run();
          expect(host.text).toBe(texts.map((text) => Buffer.from(text, 'utf8').toString('utf8')).join(''));
          expect(typed).toBe('hello ✓');
          expect(guest.lostBytes).toBe(0);
        },
      ),
    );
  });

  test('keeps what the ring has no room for, and resumes when there is some', () => {
    const { guest, host, run } = makeConsole();
    const lines = Array.from({ length: 1000 }, (_, i) => `line ${i}`);
    for (const line of lines) guest.log(line);
    expect(guest.backlogBytes).toBeGreaterThan(0);
    run();
    expect(guest.backlogBytes).toBe(0);
    expect(host.text).toBe(`${lines.join('\n')}\n`);
  });

  test('counts what it loses beyond its bound, and never cuts a character', () => {
    const { guest, host, run } = makeConsole(100);
    // The first write fills the backlog of 100 bytes before any of it can go to the ring.
    guest.write('é'.repeat(80));
    expect(guest.lostBytes).toBe(60);
    guest.write(`a${'é'.repeat(60)}`);
    expect(guest.lostBytes).toBe(60 + 22);
    run();
    expect(host.text).toBe(`${'é'.repeat(50)}a${'é'.repeat(49)}`);
  });

  test('of a domain that nobody reads stays bounded', () => {
    const { guest } = makeConsole();
    for (let i = 0; i < 100; i++) guest.write('x'.repeat(5000));
    expect(guest.backlogBytes).toBe(0x1_0000);
    expect(guest.lostBytes).toBe(500_000 - 2048 - 0x1_0000);
  });

  test('keeps the last 256 Ki characters for those who ask later', () => {
    const { guest, host, run } = makeConsole();
    let passed = 0;
    host.onText = (text) => {
      passed += text.length;
    };
    for (let i = 0; i < 200; i++) {
      guest.write(`${i % 10}`.repeat(2000));
      run();
    }
    expect(passed).toBe(400_000);
    expect(host.text.length).toBe(0x4_0000);
    expect(host.text.endsWith('9'.repeat(2000))).toBe(true);
  });

  test('of a domain with impossible indices is given up, and does not throw', () => {
    const { memory, guest, host, run } = makeConsole();
    memory.u32[(PAGE + layout.CONSOLE_OUT_PROD) >>> 2] = 0x4000_0000;
    guest.write('lost');
    expect(host.poll()).toBe(false);
    expect(host.broken).toBe(true);
    memory.u32[(PAGE + layout.CONSOLE_IN_CONS) >>> 2] = 0x4000_0000;
    expect(host.type('x')).toBe(0);
    run();
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { eventLoopTurn } from '../src/event-loop.ts';
import { imageHref } from '../src/image.ts';

describe('in a browser', () => {
  const setImmediateOfNode = globalThis.setImmediate;

  afterEach(() => {
    globalThis.setImmediate = setImmediateOfNode;
  });

  it('nothing but the entry of a thread needs a module of Node to be loaded', () => {
    const source = new URL('../src/', import.meta.url);
    const needy = readdirSync(source).filter((file) =>
      /^(import|export) [^;]*from 'node:/m.test(readFileSync(new URL(file, source), 'utf8')),
    );
    expect(needy).toEqual(['thread-entry.ts']);
  });

  it('a turn of the event loop runs promises and tasks, with setImmediate or without', async () => {
    for (const way of ['node', 'browser']) {
      if (way === 'browser') Reflect.deleteProperty(globalThis, 'setImmediate');
      const order: string[] = [];
      void Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => order.push('promise'));
      await eventLoopTurn();
      order.push('turn');
      expect(order).toEqual(['promise', 'turn']);
    }
  });
});

describe('imageHref', () => {
  it.each([
    ['/a/b.js', 'file:///a/b.js'],
    ['/with space/#1?.js', 'file:///with%20space/%231%3F.js'],
    ['C:\\images\\a.js', 'file:///C:/images/a.js'],
    ['file:///a/b.js', 'file:///a/b.js'],
    ['https://example.org/a.js', 'https://example.org/a.js'],
    ['data:text/javascript,1', 'data:text/javascript,1'],
  ])('%s is %s', (image, href) => expect(imageHref(image)).toBe(href));

  it('takes URLs', () => expect(imageHref(new URL('file:///a.js'))).toBe('file:///a.js'));
});

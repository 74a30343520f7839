import { bootStack, createMachine, type Image } from 'qanat';
import { describe, expect, test } from 'vitest';

const server: Image = {
  main: (kernel) => {
    bootStack(kernel, (stack) => {
      kernel.console.log('server is up');
      stack.listen({
        port: 7,
        onFlow: (flow) => {
          const bytes = new Uint8Array(2000);
          flow.onReadable = () => {
            for (let n = flow.read(bytes); n > 0; n = flow.read(bytes)) flow.write(bytes.subarray(0, n));
          };
          flow.onEnd = () => flow.shutdown();
          flow.onClose = () => kernel.exit(0);
        },
      });
    });
  },
};

const client: Image = {
  main: (kernel) => {
    bootStack(kernel, (stack) => {
      const flow = stack.connect({ host: '192.168.8.101', port: 7 });
      let text = '';
      flow.onConnect = () => {
        flow.write(new TextEncoder().encode('hello'));
        flow.shutdown();
      };
      flow.onReadable = () => {
        const bytes = new Uint8Array(100);
        text += new TextDecoder().decode(bytes.subarray(0, flow.read(bytes)));
      };
      flow.onClose = (error) => {
        kernel.post({ text, error: error?.code });
        kernel.exit(error === undefined ? 0 : 2);
      };
    });
  },
};

describe('a machine', () => {
  for (const cpus of ['virtual', 'cooperative'] as const) {
    test(`carries TCP between two domains (${cpus})`, async () => {
      const machine = await createMachine({ cpus, audit: true, memoryMiB: 256 });
      await machine.create({ name: 'server', image: server, vifs: [{ ip: '192.168.8.101/24' }] });
      const domain = await machine.create({ name: 'client', image: client, vifs: [{ ip: '192.168.8.102/24' }] });
      const messages: unknown[] = [];
      domain.onMessage = (message) => messages.push(message);
      expect(await machine.run()).toEqual([
        { name: 'server', domid: 1, code: 0 },
        { name: 'client', domid: 2, code: 0 },
      ]);
      expect(messages).toEqual([{ text: 'hello', error: undefined }]);
      expect(machine.console('server').text).toBe('server is up\n');
      expect(machine.list().map(({ name }) => name)).toEqual(['Domain-0']);
      expect(machine.stats().get('client')!.events).toBeGreaterThan(10);
      await machine.close();
    });
  }
});

import { bootStack, createMachine, type Kernel } from 'qanat';

const server = (kernel: Kernel): void => {
  bootStack(kernel, (stack) => stack.listen({ port: 7, onFlow: (flow) => flow.write(Buffer.from('hello')) }));
};
const client = (kernel: Kernel): void => {
  bootStack(kernel, (stack) => {
    const flow = stack.connect({ host: '192.168.8.101', port: 7 });
    flow.onReadable = () => kernel.exit(flow.readable);
  });
};
const machine = await createMachine({ cpus: 'virtual' });
await machine.create({ name: 'server', image: { main: server }, vifs: [{ ip: '192.168.8.101/24' }] });
await machine.create({ name: 'client', image: { main: client }, vifs: [{ ip: '192.168.8.102/24' }] });
console.log(await machine.run('client')); // [ { name: 'client', domid: 2, code: 5 } ]: five bytes came
await machine.close();

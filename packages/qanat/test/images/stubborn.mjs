/** Never ends by itself, and does what its argument says. */
export function main(kernel) {
  kernel.console.log(`${kernel.name} is up`);
  if (kernel.args === 'throw') {
    kernel.onHostMessage = () => {
      throw new Error('told to throw');
    };
  }
  if (kernel.args === 'spin') {
    kernel.onHostMessage = () => {
      for (;;);
    };
  }
  if (kernel.args === 'deaf') kernel.onShutdown = () => {};
}

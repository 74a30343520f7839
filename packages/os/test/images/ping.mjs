// Offers a channel to domain 2, and answers each of its events until it has seen enough.
export function main(kernel) {
  const { rounds } = kernel.args;
  const port = kernel.hypercalls.evtchnAllocUnbound(2);
  let seen = 0;
  kernel.activations.bind(port, () => {
    seen++;
    kernel.hypercalls.evtchnSend(port);
    if (seen === rounds) {
      kernel.post({ seen, stats: kernel.stats() });
      kernel.exit(0);
    }
  });
  kernel.post({ port });
}

import { cidrOf, contains, isLoopback, isMulticast, parseAddress } from '@qanat/ipv4';
import { UsageError } from './usage-error.ts';

export const PREFIX_BITS = 24;

/** @throws UsageError when no machine could have these two addresses on one network. */
export function checkAddresses(serverIp: string, clientIp: string): void {
  const server = hostAddress('--server-ip', serverIp);
  const client = hostAddress('--client-ip', clientIp);
  if (server === client) {
    throw new UsageError(`--server-ip and --client-ip are both ${serverIp}: give each its own address`);
  }
  if (!contains(cidrOf(server, PREFIX_BITS), client)) {
    throw new UsageError(
      `--client-ip ${clientIp} is not on the server's network: give an address in ${serverIp}/${PREFIX_BITS}`,
    );
  }
}

function hostAddress(name: string, text: string): number {
  let address: number;
  try {
    address = parseAddress(text);
  } catch {
    throw new UsageError(
      `${name} '${text}' is not an IPv4 address: give four numbers of 0 to 255, as in 192.168.8.101`,
    );
  }
  const kind = impossible(address);
  if (kind) throw new UsageError(`${name} ${text} is ${kind}: give the address of a host, as in 192.168.8.101`);
  return address;
}

function impossible(address: number): string | undefined {
  const cidr = cidrOf(address, PREFIX_BITS);
  if (address >>> 24 === 0) return "an address of 'this network'";
  if (isLoopback(address)) return 'a loopback address';
  if (isMulticast(address)) return 'a multicast address';
  if (address >>> 28 === 15) return 'a reserved address';
  if (address === cidr.network) return `the address of the network (/${PREFIX_BITS})`;
  if (address === cidr.broadcast) return `the broadcast address of the network (/${PREFIX_BITS})`;
  return undefined;
}

import { type Cidr, contains } from '@qanat/ipv4';
import type { Interface } from './interface.ts';

/** Where packets to a network go: straight to the neighbour (`gateway` 0), or to a router. */
export interface Route {
  readonly network: Cidr;
  readonly gateway: number;
  readonly via: Interface;
}

/** The routing table: the longest prefix wins, among equals the first that was added. */
export class RoutingTable {
  readonly #routes: Route[] = [];

  add(route: Route): void {
    const { prefixBits } = route.network;
    const at = this.#routes.findIndex((other) => other.network.prefixBits < prefixBits);
    this.#routes.splice(at < 0 ? this.#routes.length : at, 0, route);
  }

  removeInterface(via: Interface): void {
    for (let i = this.#routes.length - 1; i >= 0; i--) {
      if (this.#routes[i]!.via === via) this.#routes.splice(i, 1);
    }
  }

  /** The route that broadcasts and multicasts take: the first of the longest prefixes. */
  get first(): Route | undefined {
    return this.#routes[0];
  }

  /** @param address int32. */
  find(address: number): Route | undefined {
    for (const route of this.#routes) {
      if (contains(route.network, address)) return route;
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<Route> {
    yield* this.#routes;
  }
}

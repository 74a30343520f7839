export { type Netif, type NetifUp, NO_OFFLOAD, type Offload } from './netif.ts';

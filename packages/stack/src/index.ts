export { type Endpoint, Flow, type WriteOptions } from './flow.ts';
export { Interface } from './interface.ts';
export { Listener } from './listener.ts';
export { NetError, type NetErrorCode } from './net-error.ts';
export type { PingOptions, PingReply } from './ping.ts';
export { Ping } from './ping.ts';
export type { FlowFilter, Recording } from './recording.ts';
export type { Route } from './routes.ts';
export {
  type ConnectOptions,
  createStack,
  type InterfaceOptions,
  type ListenOptions,
  Stack,
  type StackOptions,
} from './stack.ts';
export { InterfaceStats } from './stack-stats.ts';
export { UdpSocket } from './udp-socket.ts';

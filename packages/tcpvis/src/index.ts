export { main } from './command.ts';
export type { Output } from './output.ts';

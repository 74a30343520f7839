export { Console, type ConsoleOptions } from './console.ts';
export { ConsoleReader } from './console-reader.ts';
export * from './layout.ts';

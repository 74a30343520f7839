export * from './xenstore/index.ts';

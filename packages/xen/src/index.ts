export * from './toolstack/index.ts';
export * from './xenstore/index.ts';

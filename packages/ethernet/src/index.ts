export * from './mac.ts';
export * from './wire.ts';

export * from './address.ts';
export * from './header-check.ts';
export * from './wire.ts';

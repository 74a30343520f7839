export type { TcpObserver, WindowState } from './observer.ts';

export type MachineErrorCode =
  /** Threads need SharedArrayBuffer, and the host has none. */
  | 'ERR_SHARED_ARRAY_BUFFER_MISSING'
  /** An option of `createMachine` that cannot be. */
  | 'ERR_INVALID_OPTION'
  /** The host does not give the machine its memory. */
  | 'ERR_MACHINE_MEMORY'
  /** Dom0 has ended, and the machine with it. */
  | 'ERR_DOM0_DOWN'
  /** The machine was closed. */
  | 'ERR_MACHINE_CLOSED';

/** A machine that cannot be built, or cannot go on. The message says what is wrong and what would do. */
export class MachineError extends Error {
  override readonly name = 'MachineError';
  readonly code: MachineErrorCode;

  constructor(code: MachineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

import type { ScriptEvent, SyscallAction } from '../ast.ts';
import type { Outcome, PendingCall } from '../host/system-calls.ts';
import type { PreparedCall } from './syscalls.ts';

/** A system call of the script that was started and may still block. */
export class RunningCall {
  readonly event: ScriptEvent;
  readonly action: SyscallAction;
  readonly prepared: PreparedCall;
  readonly startUs: number;
  /** When the script wants it to return; undefined for a call without `...`. */
  readonly endUs: number | undefined;
  readonly #call: PendingCall;
  outcome: Outcome | undefined;
  /** When it returned. */
  returnedUs = 0;

  constructor(
    event: ScriptEvent,
    action: SyscallAction,
    prepared: PreparedCall,
    call: PendingCall,
    startUs: number,
    endUs: number | undefined,
  ) {
    this.event = event;
    this.action = action;
    this.prepared = prepared;
    this.#call = call;
    this.startUs = startUs;
    this.endUs = endUs;
  }

  /** When the call would stop waiting by itself, in the host's time. */
  get deadlineUs(): number {
    return this.#call.deadlineUs;
  }

  /** Asks whether it has returned. @returns whether it has, now or before. */
  poll(nowUs: number): boolean {
    if (this.outcome) return true;
    this.outcome = this.#call.attempt();
    if (this.outcome) this.returnedUs = nowUs;
    return this.outcome !== undefined;
  }
}

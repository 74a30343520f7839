/** A vcpu that went to sleep with work left: a lost wake-up, caught when it happens. */
export interface SleepViolation {
  readonly domid: number;
  readonly name: string;
  /** Machine time in microseconds. */
  readonly atUs: number;
  /** What is left, one line each. */
  readonly faults: readonly string[];
  /** The event-channel words that are not zero. */
  readonly events: string;
}

/** Thrown in the domain that went to sleep, when its auditor is set to throw. */
export class SleepAuditError extends Error {
  override readonly name = 'SleepAuditError';
  readonly violation: SleepViolation;

  constructor(violation: SleepViolation) {
    super(
      `domain ${violation.name} (${violation.domid}) sleeps at ${violation.atUs} us with work left: ` +
        `${violation.faults.join('; ')} [${violation.events}]`,
    );
    this.violation = violation;
  }
}

/** What was asked for cannot be done: one line that says why, and exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Bad input: the message says what is wrong and how to mend it, in one line. The command exits with code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Where the lines of the command go. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
  /** Whether `error` is a terminal, so that progress may be drawn on it. */
  readonly progress: boolean;
}

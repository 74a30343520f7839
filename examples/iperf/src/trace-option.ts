/** Whether a file of --flow-log takes everything, streamed (docs/FLOWLOG.md), or the sender's flow in the text of 2013. */
export function isTrace(path: string): boolean {
  return path.endsWith('.qflow');
}

import type { FlowDescriptor, SourceDescriptor } from '@qanat/flowlog';

/** @returns dotted decimal. @param address a uint32. */
export function addressText(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** @returns `client 10.0.0.2:49152 → 10.0.0.1:5001`. */
export function flowName(flow: FlowDescriptor, sources: readonly SourceDescriptor[]): string {
  const source = sources.find(({ id }) => id === flow.source)?.name ?? '';
  if (flow.localAddress === 0 && flow.remoteAddress === 0) return source === '' ? `flow ${flow.id}` : source;
  const local = `${addressText(flow.localAddress)}:${flow.localPort}`;
  const remote = `${addressText(flow.remoteAddress)}:${flow.remotePort}`;
  return `${source === '' ? '' : `${source} `}${local} → ${remote}`;
}

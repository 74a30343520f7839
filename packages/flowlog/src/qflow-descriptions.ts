/** The JSON of descriptions: fields that are missing or of a wrong type count as unknown. */
import type { FlowTotals, SourceTotals } from './qflow-writer.ts';
import {
  type FlowDescriptor,
  type FlowRowCounts,
  flowDescriptor,
  NO_ROWS,
  type SourceDescriptor,
  type SourceKind,
} from './trace.ts';

type Json = Readonly<Record<string, unknown>>;

const KINDS: readonly SourceKind[] = ['domain', 'dom0', 'host', 'capture'];

export function sourceFromJson(id: number, json: Json): SourceDescriptor {
  const kind = KINDS.find((known) => known === json['kind']) ?? 'host';
  return { id, name: text(json['name']) ?? `source ${id}`, kind };
}

export function sourceTotals(json: Json): SourceTotals {
  const strings = Array.isArray(json['strings']) ? json['strings'].map((one) => text(one) ?? '') : [];
  return { strings, recorded: rowCount(json['recorded']), overwritten: rowCount(json['overwritten']) };
}

export function flowFromJson(id: number, json: Json): FlowDescriptor {
  const active = json['active'];
  return flowDescriptor({
    id,
    source: uint(json['source']),
    localAddress: uint(json['localAddress']),
    localPort: uint(json['localPort']),
    remoteAddress: uint(json['remoteAddress']),
    remotePort: uint(json['remotePort']),
    active: typeof active === 'boolean' ? active : undefined,
    iss: number(json['iss']),
    irs: number(json['irs']),
    sndShift: number(json['sndShift']),
    rcvShift: number(json['rcvShift']),
    mss: uint(json['mss']),
    congestion: text(json['congestion']) ?? '',
    startUs: number(json['startUs']) ?? 0,
  });
}

export function flowTotals(json: Json): FlowTotals {
  return { recorded: rowCounts(json['recorded']), overwritten: rowCounts(json['overwritten']) };
}

function rowCounts(value: unknown): FlowRowCounts {
  if (typeof value !== 'object' || value === null) return NO_ROWS;
  const json = value as Json;
  return {
    segments: rowCount(json['segments']),
    sacks: rowCount(json['sacks']),
    windows: rowCount(json['windows']),
    events: rowCount(json['events']),
  };
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function rowCount(value: unknown): number {
  return Math.max(Math.trunc(number(value) ?? 0), 0);
}

function uint(value: unknown): number {
  return (number(value) ?? 0) >>> 0;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

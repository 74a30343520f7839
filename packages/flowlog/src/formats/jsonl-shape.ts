/**
 * The rows of JSON lines, driven by the schemas of the tables (tables.ts): an object per row with its type, its flow or source,
 * and a number per column, in the order of the columns. What `info` and the stamps of a segment say stands in words
 * behind them (jsonl-segment.ts), so these columns are none of its numbers. Sequence numbers are 0..2^32-1.
 */
import {
  type ColumnType,
  EVENT_SCHEMA,
  MACHINE_SCHEMA,
  SACK_SCHEMA,
  type Schema,
  SEGMENT_SCHEMA,
  WINDOW_SCHEMA,
} from '../tables.ts';
import { type Ascii, ascii } from './byte-writer.ts';

export const JSONL_VERSION = 1;

/** Most bytes of a row. */
export const MAX_ROW_BYTES = 1024;

/** A number of an object. */
export interface NumberField {
  readonly name: string;
  readonly type: ColumnType;
  /** `,"name":` */
  readonly key: Ascii;
}

export interface RowShape {
  readonly schema: Schema;
  /** How an object begins, up to the id of its flow or source. */
  readonly head: string;
  readonly fields: readonly NumberField[];
  /** Whether int32 columns are numbers with a sign; else they are sequence numbers. */
  readonly isSigned: boolean;
}

export const SEGMENT_SHAPE = shape('segment', 'flow', SEGMENT_SCHEMA, false, ['tsVal', 'tsEcr', 'info']);
export const SACK_SHAPE = shape('sack', 'flow', SACK_SCHEMA, false);
export const WINDOW_SHAPE = shape('window', 'flow', WINDOW_SCHEMA, false);
export const EVENT_SHAPE = shape('event', 'flow', EVENT_SCHEMA, true);
export const MACHINE_SHAPE = shape('machine', 'source', MACHINE_SCHEMA, true);

function shape(
  type: string,
  owner: string,
  schema: Schema,
  isSigned: boolean,
  inWords: readonly string[] = [],
): RowShape {
  const fields = Object.entries(schema).filter(([name]) => !inWords.includes(name));
  return {
    schema,
    head: `{"type":"${type}","${owner}":`,
    fields: fields.map(([name, columnType]) => ({ name, type: columnType, key: ascii(`,"${name}":`) })),
    isSigned,
  };
}

export { type Crc32, crc32 } from './crc32.ts';
export { describeConnection } from './describe-connection.ts';
export { FlowLog, type FlowLogHandle } from './flow-log.ts';
export {
  DEFAULT_RECORDS,
  FlowRecorder,
  type FlowRecorderOptions,
  MAX_RECORDS,
} from './flow-recorder.ts';
export type { OrderCounter } from './flow-watch.ts';
export * from './formats/index.ts';
export * from './kinds.ts';
export { MachineRecorder } from './machine-recorder.ts';
export {
  CHUNK_EVENTS,
  CHUNK_HEADER_BYTES,
  CHUNK_KIND,
  CHUNK_MACHINE,
  CHUNK_MAGIC,
  CHUNK_PAYLOAD_BYTES,
  CHUNK_PAYLOAD_CRC,
  CHUNK_RANGES,
  CHUNK_SACKS,
  CHUNK_SEGMENTS,
  CHUNK_WINDOWS,
  FILE_HEADER_BYTES,
  FILE_LENGTH,
  FIRST_JSON_KIND,
  MAX_CHUNK_HEADER_BYTES,
  QFLOW_MAJOR,
  QFLOW_MINOR,
  type TableKind,
} from './qflow-layout.ts';
export {
  type ChunkIndex,
  indexTrace,
  type ReadBytes,
  readChunk,
  readTrace,
  type TraceFound,
  type TraceIndex,
  walkTrace,
} from './qflow-reader.ts';
export {
  DEFAULT_CHUNK_ROWS,
  encodeTrace,
  type FlowTotals,
  type SourceTotals,
  TraceWriter,
  type TraceWriterOptions,
  writeTrace,
} from './qflow-writer.ts';
export {
  type FlowRecord,
  OP_RX,
  OP_TX,
  OP_WND,
  RECORD_BYTES,
  type SegmentRecord,
  type WindowRecord,
} from './record.ts';
export type { RowSink } from './row-store.ts';
export { firstColumnAtLeast } from './search.ts';
export * from './segment-info.ts';
export { SlotReceiver, SlotSink, type SlotSinkOptions, type TraceMessage } from './slot-stream.ts';
export { SourceRecorder, type SourceRecorderOptions, type TraceSink } from './source-recorder.ts';
export * from './table-builders.ts';
export * from './tables.ts';
export { formatText2013, parseText2013, type Text2013, text2013Chunks } from './text-2013.ts';
export * from './trace.ts';
export * from './window-info.ts';

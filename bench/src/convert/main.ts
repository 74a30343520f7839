/**
 * A process of `bench convert`: `make ROWS FOLDER` writes the log in every format, `measure FROM TO FOLDER ROUNDS` converts one
 * of those files in memory and prints `Measured` as JSON.
 */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { FORMATS, formatByName, type Trace } from '@qanat/flowlog';
import { rowsConverted } from './directions.ts';
import { pcapOf } from './pcap-file.ts';
import { sampleLog } from './sample-log.ts';

/** Of each round, in the order in which they ran. */
export interface Measured {
  readonly rows: number;
  readonly readSeconds: readonly number[];
  readonly writeSeconds: readonly number[];
  readonly inBytes: number;
  readonly outBytes: number;
}

function make(rows: number, folder: string): void {
  const trace = sampleLog(rows);
  for (const { name, read, write } of FORMATS) {
    if (read === undefined || write === undefined) continue;
    const file = openSync(join(folder, name), 'w');
    write(trace, (piece) => void writeSync(file, piece));
    closeSync(file);
  }
  const pcapng = formatByName('pcapng')!.read!(readFileSync(join(folder, 'pcapng')));
  writeFileSync(join(folder, 'pcap'), pcapOf(pcapng.frames!));
}

function measure(from: string, to: string, folder: string, rounds: number): Measured {
  const bytes = readFileSync(join(folder, from));
  const read = formatByName(from)!.read!;
  const write = formatByName(to)!.write!;
  let [rows, outBytes] = [0, 0];
  const readSeconds: number[] = [];
  const writeSeconds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    outBytes = 0;
    const startMs = performance.now();
    const trace: Trace = read(bytes);
    const readMs = performance.now();
    write(trace, (piece) => {
      outBytes += piece.length;
    });
    writeSeconds.push((performance.now() - readMs) / 1000);
    readSeconds.push((readMs - startMs) / 1000);
    rows = rowsConverted(trace, { from, to });
  }
  return { rows, readSeconds, writeSeconds, inBytes: bytes.length, outBytes };
}

const [task = '', ...args] = process.argv.slice(2);
if (task === 'make') make(Number(args[0]), args[1]!);
else process.stdout.write(`${JSON.stringify(measure(args[0]!, args[1]!, args[2]!, Number(args[3])))}\n`);

import {
  flowDescriptor,
  flowTrace,
  type MachineTableBuilder,
  type SourceDescriptor,
  sourceTrace,
} from '@qanat/flowlog';
import { Engine } from '../../src/view/engine.ts';
import { storeOfTrace } from '../../src/view/store.ts';

/** A scanned log of one source with these rows, and a flow of it without any. */
export async function engineOfMachine(
  source: Pick<SourceDescriptor, 'id' | 'name' | 'kind'>,
  machine: MachineTableBuilder,
): Promise<Engine> {
  const engine = new Engine(
    storeOfTrace({
      sources: [sourceTrace(source, { machine: machine.finish() })],
      flows: [flowTrace(flowDescriptor({ id: 1, source: source.id }))],
      clock: { unixEpochUs: undefined, resolutionUs: 1 },
      problems: [],
    }),
  );
  await engine.scan();
  return engine;
}

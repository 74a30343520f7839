/** The part of a .cpuprofile document that is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  /** Ids of nodes. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

export interface FunctionShare {
  readonly name: string;
  /** Folder under packages or examples, or what else it belongs to. */
  readonly group: string;
  readonly us: number;
}

export interface ThreadProfile {
  readonly thread: string;
  readonly us: number;
  /** Self time, the largest first. */
  readonly functions: readonly FunctionShare[];
}

/** Functions of the WASM kernel, which V8 knows by number: those of packages/bytes/src/kernel.wat in their order. */
const WASM_FUNCTIONS = ['fill', 'copy', 'sum', 'copySum', 'finish'];

/**
 * Sums the self time of each function.
 * @param skipUs time at the start of the thread that is left out: compilation.
 */
export function foldProfile(profile: CpuProfile, thread: string, skipUs: number): ThreadProfile {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const shares = new Map<string, { name: string; group: string; us: number }>();
  let [ageUs, us] = [0, 0];
  profile.samples.forEach((id, i) => {
    const deltaUs = Math.max(0, profile.timeDeltas[i] ?? 0);
    ageUs += deltaUs;
    const frame = frames.get(id);
    if (frame === undefined) return;
    if (ageUs <= skipUs) return;
    us += deltaUs;
    const { name, group } = describe(frame);
    const key = `${group} ${name}`;
    const share = shares.get(key);
    if (share === undefined) shares.set(key, { name, group, us: deltaUs });
    else share.us += deltaUs;
  });
  const functions = [...shares.values()].sort((a, b) => b.us - a.us);
  return { thread, us, functions };
}

function describe({ functionName, url }: CpuProfile['nodes'][number]['callFrame']): { name: string; group: string } {
  const wasm = /^wasm-function\[(\d+)\]$/.exec(functionName);
  if (wasm) return { name: WASM_FUNCTIONS[Number(wasm[1])] ?? functionName, group: 'WASM kernel' };
  const file = /\/(packages|examples)\/([^/]+)\/(?:dist|src)\/(.+?)\.[jt]s$/.exec(url);
  if (file) return { name: `${file[3]}: ${functionName || '(anonymous)'}`, group: file[2]! };
  return { name: functionName || '(anonymous)', group: url === '' ? 'V8' : url.startsWith('node:') ? 'Node' : url };
}

/** Self time by group, the largest first. */
export function byGroup({ functions }: ThreadProfile): FunctionShare[] {
  const groups = new Map<string, number>();
  for (const { group, us } of functions) groups.set(group, (groups.get(group) ?? 0) + us);
  return [...groups].map(([group, us]) => ({ name: '', group, us })).sort((a, b) => b.us - a.us);
}

import type { Perms } from './perms.ts';

/**
 * A node of the store. Nodes never change: a change makes new ones along the path up to the root, so whoever holds a
 * root holds a snapshot.
 */
export interface StoreNode {
  /** Octets, one char each. */
  readonly value: string;
  readonly perms: Perms;
  readonly children: ReadonlyMap<string, StoreNode>;
  /** Differs from that of every earlier state of this node: its value, its permissions or the set of its children. */
  readonly generation: number;
}

const NO_CHILDREN: ReadonlyMap<string, StoreNode> = new Map();

/** @returns a node without children. */
export function leaf(value: string, perms: Perms, generation: number): StoreNode {
  return { value, perms, children: NO_CHILDREN, generation };
}

/** @returns the node at the end of a path, or undefined. */
export function lookup(root: StoreNode, parts: readonly string[]): StoreNode | undefined {
  let node: StoreNode | undefined = root;
  for (const part of parts) {
    node = node.children.get(part);
    if (node === undefined) return undefined;
  }
  return node;
}

/** @returns how many parts of a path exist, and the last node that does. */
export function deepest(root: StoreNode, parts: readonly string[]): { depth: number; node: StoreNode } {
  let node = root;
  for (const [depth, part] of parts.entries()) {
    const child = node.children.get(part);
    if (child === undefined) return { depth, node };
    node = child;
  }
  return { depth: parts.length, node };
}

/**
 * Puts a node (or, undefined, nothing) at the end of a path whose parent exists.
 * @param generation the parent's new one if its set of children changes.
 * @returns the new root.
 */
export function replace(
  root: StoreNode,
  parts: readonly string[],
  node: StoreNode | undefined,
  generation: number,
): StoreNode {
  const last = parts.length - 1;
  if (last < 0) return node ?? root;
  const above: StoreNode[] = [root];
  for (let i = 0; i < last; i++) {
    const child = above[i]!.children.get(parts[i]!);
    if (child === undefined) return root;
    above.push(child);
  }
  let below = node;
  for (let i = last; i >= 0; i--) {
    const parent = above[i]!;
    const children = new Map(parent.children);
    const changes = i === last && (below === undefined) === children.has(parts[i]!);
    if (below === undefined) children.delete(parts[i]!);
    else children.set(parts[i]!, below);
    below = { ...parent, children, generation: changes ? generation : parent.generation };
  }
  return below!;
}

/** Visits a node and all below it, without recursion: paths can be 1500 levels deep. */
export function visit(node: StoreNode, each: (node: StoreNode) => void): void {
  const stack = [node];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    each(next);
    for (const child of next.children.values()) stack.push(child);
  }
}

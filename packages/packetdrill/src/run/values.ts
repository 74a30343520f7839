import type { Expression, Field } from '../ast.ts';
import { CONSTANTS } from '../constants.ts';
import { UnsupportedError } from '../errors.ts';

/** An argument that is not of the form its call needs. */
export class ArgumentError extends Error {}

/** @returns the number of an integer, a constant, an OR of those, or htons/htonl/inet_addr-free call. */
export function numberOf(expression: Expression | undefined): number {
  if (expression === undefined) throw new ArgumentError('an argument is missing');
  switch (expression.kind) {
    case 'integer':
      return expression.value;
    case 'word':
      return constant(expression.name);
    case 'or':
      return Number(expression.terms.reduce((mask, term) => mask | BigInt(numberOf(term)), 0n));
    case 'list':
      if (expression.items.length === 1) return numberOf(expression.items[0]);
      break;
    case 'call':
      if (/^(htons|htonl|ntohs|ntohl)$/.test(expression.name)) return numberOf(expression.args[0]);
      break;
    case 'assign':
      return numberOf(expression.value);
  }
  throw new ArgumentError('expected a number');
}

function constant(name: string): number {
  const value = Object.hasOwn(CONSTANTS, name) ? CONSTANTS[name] : undefined;
  if (value === undefined) throw new UnsupportedError(`the word ${name} is not known`);
  return value;
}

export function isEllipsis(expression: Expression | undefined): boolean {
  return expression === undefined || expression.kind === 'ellipsis';
}

export function stringOf(expression: Expression | undefined): string {
  if (expression?.kind === 'list' && expression.items.length === 1) return stringOf(expression.items[0]);
  if (expression?.kind !== 'string') throw new ArgumentError('expected a string');
  return expression.value;
}

export function listOf(expression: Expression | undefined): readonly Expression[] {
  if (expression?.kind === 'list') return expression.items;
  if (expression?.kind === 'struct') return [expression];
  throw new ArgumentError('expected a list');
}

/** A structure's fields; a list of one structure counts as the structure. */
export function fieldsOf(expression: Expression | undefined): readonly Field[] {
  if (expression?.kind === 'list' && expression.items.length === 1) return fieldsOf(expression.items[0]);
  if (expression?.kind !== 'struct') throw new ArgumentError('expected a structure in braces');
  return expression.fields;
}

/** The value of the field with one of these names. */
export function field(fields: readonly Field[], ...names: readonly string[]): Expression | undefined {
  return fields.find((candidate) => candidate.name !== undefined && names.includes(candidate.name))?.value;
}

/** Bytes of an iovec list: `[{..., 1000}, {..., 500}]`. */
export function iovecBytes(expression: Expression | undefined): number {
  return listOf(expression).reduce((sum, item) => {
    const fields = fieldsOf(item);
    const length = field(fields, 'iov_len') ?? fields[1]?.value;
    return sum + numberOf(length);
  }, 0);
}

/** Whether an argument stands for memory: `...`, a string, or none of the addresses that scripts make up. */
export function isMemory(expression: Expression | undefined): boolean {
  return expression === undefined || expression.kind === 'ellipsis' || expression.kind === 'string';
}

/** Whether all pieces of an iovec list that have a length stand for memory. */
export function isMemoryVector(expression: Expression | undefined): boolean {
  return listOf(expression).every((item) => {
    const fields = fieldsOf(item);
    const length = field(fields, 'iov_len') ?? fields[1]?.value;
    return numberOf(length) === 0 || isMemory(field(fields, 'iov_base') ?? fields[0]?.value);
  });
}

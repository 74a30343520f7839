import { CodeError, type Value } from './ast.ts';

/** A value as Python's `str` shows it. */
export function show(value: Value): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (Array.isArray(value)) {
    const items = value.map((item) => (typeof item === 'string' ? `'${item}'` : show(item as Value)));
    return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`;
  }
  return String(value);
}

const CONVERSION = /%(?:\((\w+)\))?([-+ #0]*)(\d+)?(?:\.(\d+))?([diouxXeEfFgGcrs%])/g;
const MAX_WIDTH = 1000;

/** Python's `format % values`. @throws CodeError when conversions and values do not agree. */
export function formatString(format: string, values: Value, offset: number): string {
  const list: readonly Value[] = Array.isArray(values) ? (values as readonly Value[]) : [values];
  let index = 0;
  const text = format.replace(
    CONVERSION,
    (_all, _name, flags: string, width: string | undefined, precision: string | undefined, type: string) => {
      if (type === '%') return '%';
      const value = list[index++];
      if (value === undefined) throw new CodeError(offset, 'not enough values for the format string');
      const shown = convert(value, type, precision === undefined ? undefined : Number(precision), flags, offset);
      const columns = Math.min(Number(width ?? 0), MAX_WIDTH);
      if (flags.includes('-')) return shown.padEnd(columns);
      if (!flags.includes('0')) return shown.padStart(columns);
      const sign = /^[+-]/.exec(shown)?.[0] ?? '';
      return sign + shown.slice(sign.length).padStart(columns - sign.length, '0');
    },
  );
  if (index < list.length) throw new CodeError(offset, 'not all values were used by the format string');
  return text;
}

function convert(value: Value, type: string, precision: number | undefined, flags: string, offset: number): string {
  if (type === 's') return precision === undefined ? show(value) : show(value).slice(0, precision);
  if (type === 'r') return typeof value === 'string' ? `'${value}'` : show(value);
  const number = typeof value === 'boolean' ? Number(value) : value;
  if (typeof number !== 'number') throw new CodeError(offset, `%${type} needs a number, found ${show(value)}`);
  const plus = flags.includes('+') && number >= 0 ? '+' : '';
  switch (type) {
    case 'x':
    case 'X': {
      const hex = (flags.includes('#') ? '0x' : '') + Math.trunc(number).toString(16);
      return type === 'x' ? hex : hex.toUpperCase();
    }
    case 'o':
      return Math.trunc(number).toString(8);
    case 'e':
    case 'E':
      return plus + number.toExponential(Math.min(precision ?? 6, 100));
    case 'f':
    case 'F':
      return plus + number.toFixed(Math.min(precision ?? 6, 100));
    case 'g':
    case 'G':
      return plus + String(Number(number.toPrecision(Math.min(Math.max(precision ?? 6, 1), 100))));
    case 'c':
      return String.fromCharCode(number);
    default:
      return plus + String(Math.trunc(number));
  }
}

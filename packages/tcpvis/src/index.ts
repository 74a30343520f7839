export { main } from './command.ts';
export type { Output } from './output.ts';
export { PRESET_NAMES, type ThemeName, type TraceSvgOptions, traceSvg } from './trace-svg.ts';

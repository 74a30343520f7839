export { main } from './command.ts';
export { LiveStream, type LiveStreamOptions } from './live-stream.ts';
export type { Output } from './output.ts';
export { type PageLog, pageHtml } from './page-html.ts';
export { fileRoute, type Route, servePage, textRoute } from './page-server.ts';
export { PRESET_NAMES, type ThemeName, type TraceSvgOptions, traceSvg } from './trace-svg.ts';

/** The style sheet of the page. */
export const STYLE = `
:root {
  --page: #f6f7f9; --card: #ffffff; --text: #1d2433; --faint: #667085; --line: #dfe3ea; --hover: #eceff4;
  --accent: #2b6cd4; --on-accent: #ffffff; --cursor: #1d2433; --notable: #d92d20; --now: #eaf1fd; --shadow: 0 8px 30px rgb(16 24 40 / 12%);
  color-scheme: light;
}
:root[data-theme='dark'] {
  --page: #11151c; --card: #171c25; --text: #e6eaf2; --faint: #93a0b4; --line: #2a3240; --hover: #212836;
  --accent: #6ea8ff; --on-accent: #0c1220; --cursor: #e6eaf2; --notable: #ff7b72; --now: #1d2a40; --shadow: 0 8px 30px rgb(0 0 0 / 50%);
  color-scheme: dark;
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html, body { height: 100%; margin: 0; overflow: hidden; }
body {
  background: var(--page); color: var(--text);
  font: 13px/1.4 Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
.app { display: flex; flex-direction: column; height: 100vh; height: 100dvh; }
button, select {
  font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 3px 10px; height: 28px;
  cursor: pointer; white-space: nowrap;
}
button:hover, select:hover { background: var(--hover); }
button:focus-visible, select:focus-visible, input:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
button[aria-pressed='true']:not(.entry) { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.faint { color: var(--faint); }
.space { flex: 1; }

.toolbar { display: flex; align-items: center; gap: 8px; padding: 8px 14px; min-width: 0; }
.brand { font-weight: 700; font-size: 15px; letter-spacing: .01em; color: var(--accent); }
.file { font-weight: 600; max-width: 22ch; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.flows { position: relative; flex: 0 1 auto; min-width: 14ch; }
.preset { flex: 0 1 auto; min-width: 10ch; }
.file { flex: 0 1 auto; min-width: 4ch; }
.modes { flex: none; }
.flow-button { max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.flow-list {
  position: absolute; z-index: 20; top: 34px; left: 0; width: max-content; max-width: 92vw; max-height: 60vh; overflow: auto; padding: 6px;
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; box-shadow: var(--shadow);
}
.flow { display: flex; align-items: center; gap: 8px; padding: 2px 6px; white-space: nowrap; }
.flow-filter { width: 100%; font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: 4px 8px; margin-bottom: 4px; }
.flow-name { border: 0; background: none; text-align: left; flex: 1; padding: 3px 4px; }
.modes { display: flex; }
.modes button { border-radius: 0; margin-left: -1px; }
.modes button:first-child { border-radius: 6px 0 0 6px; }
.modes button:last-child { border-radius: 0 6px 6px 0; }
.live::before { content: ''; display: inline-block; width: 8px; height: 8px; border-radius: 50%; background: #e5484d; margin-right: 6px; }

.progress { position: absolute; top: 0; left: 0; right: 0; height: 3px; z-index: 30; }
.progress::after { content: ''; display: block; height: 100%; background: var(--accent); transform: scaleX(var(--done, 0)); transform-origin: left; }

.overview { position: relative; height: 54px; cursor: crosshair; flex: none; touch-action: none; }
.overview-window { position: absolute; top: 0; height: 34px; border: 1.5px solid var(--accent); border-radius: 3px; background: color-mix(in srgb, var(--accent) 9%, transparent); pointer-events: none; }

.main { flex: 1; display: flex; min-height: 0; }
.columns { flex: 1; display: flex; min-width: 0; overflow: auto; cursor: crosshair; touch-action: none; user-select: none; }
.column { flex: none; min-width: 0; }
.column-title { margin: 0; height: 24px; padding: 2px 18px 0 76px; font-size: 13px; font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.stack { position: relative; }
.panel { margin-bottom: 4px; }
.panel-head { display: flex; align-items: center; gap: 12px; height: 22px; padding: 0 18px 0 76px; }
.panel-title { font-weight: 600; font-size: 12px; white-space: nowrap; }
.state-value { font-size: 12px; color: var(--faint); white-space: nowrap; }
.legend { flex: 1; display: flex; justify-content: safe flex-end; gap: 2px; min-width: 0; overflow: hidden; }
.entry { display: inline-flex; align-items: center; gap: 5px; height: 20px; padding: 0 6px; border: 0; background: none; font-size: 11.5px; color: var(--faint); white-space: nowrap; flex: none; }
.all-lines { height: 18px; padding: 0 6px; font-size: 11px; color: var(--faint); flex: none; }
button.entry:hover { color: var(--text); }
.entry.off { opacity: .4; text-decoration: line-through; }
.entry .key { width: 8px; height: 8px; border-radius: 2px; display: inline-block; }
.entry .key.line { width: 12px; height: 3px; border-radius: 1.5px; }
.entry .value { color: var(--text); font-weight: 600; }
.entry .value:empty { display: none; }
.plot, .axis { display: block; }
.cursor { position: absolute; top: 0; bottom: 20px; left: 0; width: 1px; background: var(--cursor); opacity: .45; pointer-events: none; }
.columns.pinned .cursor { opacity: .9; }
.stamp { position: absolute; bottom: 1px; left: 0; padding: 1px 6px; border-radius: 4px; background: var(--text); color: var(--page); font-size: 11px; pointer-events: none; white-space: nowrap; }
.selection { position: absolute; top: 0; bottom: 24px; background: color-mix(in srgb, var(--accent) 18%, transparent); border: 1px solid var(--accent); border-width: 0 1px; pointer-events: none; }

.events { width: 480px; flex: none; display: flex; flex-direction: column; border-left: 1px solid var(--line); background: var(--card); min-height: 0; }
.events-head { display: flex; justify-content: space-between; padding: 8px 12px; }
.events-at { font-size: 12px; color: var(--faint); }
.events-scroll { flex: 1; overflow: auto; position: relative; }
.events table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 11.5px; table-layout: fixed; }
.events th { position: sticky; top: 0; background: var(--card); text-align: left; font-weight: 500; color: var(--faint); padding: 2px 6px; }
.events th:nth-child(1) { width: 84px; text-align: right; } .events th:nth-child(2) { width: 76px; } .events th:nth-child(3) { width: 134px; }
.events td { padding: 2px 6px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; border-top: 1px solid color-mix(in srgb, var(--line) 50%, transparent); }
.events .delta { text-align: right; } .events .of, .events .detail { color: var(--faint); }
.events .what { font-weight: 600; }
.events .notable .what, .events .notable .detail { color: var(--notable); }
.events tr.now { background: var(--now); }
.events tr.last-past td { border-bottom: 2px solid var(--accent); }

.status { display: flex; gap: 18px; align-items: center; height: 26px; padding: 0 14px; font-size: 11.5px; color: var(--faint); border-top: 1px solid var(--line); white-space: nowrap; overflow: hidden; }
.status .range { color: var(--text); }
.status .problem { color: var(--notable); overflow: hidden; text-overflow: ellipsis; }

.welcome, .help { position: fixed; inset: 0; display: grid; place-items: center; z-index: 10; }
.welcome { top: 46px; background: var(--page); }
.help { background: rgb(10 14 22 / 40%); z-index: 40; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 28px 36px; box-shadow: var(--shadow); max-width: min(640px, 90vw); max-height: 88vh; overflow: auto; }
.welcome .card { text-align: center; }
.card h1 { margin: 0 0 8px; font-size: 20px; }
.card p { margin: 8px 0 16px; }
.welcome.failed h1 { color: var(--notable); }
.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); height: 34px; padding: 0 18px; font-weight: 600; }
.primary:hover { background: var(--accent); filter: brightness(1.08); }
.help td { padding: 3px 14px 3px 0; }
kbd { display: inline-block; min-width: 22px; text-align: center; padding: 1px 6px; margin-right: 4px; border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 5px; background: var(--page); font: inherit; font-size: 12px; }
.dropping body::after { content: 'Drop it'; position: fixed; inset: 12px; z-index: 50; display: grid; place-items: center; font-size: 24px; font-weight: 600; border: 3px dashed var(--accent); border-radius: 16px; background: color-mix(in srgb, var(--page) 80%, transparent); }
@media (max-width: 1100px) { .hint, .file { display: none; } .events { width: 400px; } .preset { max-width: 16ch; } }
@media (max-width: 760px) {
  .toolbar { flex-wrap: wrap; gap: 6px; padding: 6px 8px; } .toolbar .space { display: none; } .flows { flex: 1 1 100%; } .flow-button { width: 100%; text-align: left; }
  .main { flex-direction: column; } .events { width: 100%; height: 42%; border-left: 0; border-top: 1px solid var(--line); }
}
`;

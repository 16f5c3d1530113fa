/**
 * Hold the elements of each kind of part, as HTML without content. A view finds an element by its first class without
 * the prefix: `vibe-title` is `at.title` (view.js).
 *
 * @import { Kind } from "./values.js"
 */

// A disclosure is not a <details>: Chromium gives each <details> a stylesheet of its own, and visits all of these
// stylesheets at each new one.
const FOLD = 'class="vibe-summary vibe-fold" role="button" tabindex="0"';
// A name or a preview is in a <bdi>: text that runs from right to left must not reorder the words around it.
const MARK = '<span class="vibe-mark" aria-hidden="true"></span>';
const WORD = '<span class="vibe-word"></span>';
const TIME = '<span class="vibe-time"></span>';
const NAME = '<bdi class="vibe-name"></bdi>';
const PARTS = '<div class="vibe-parts"></div>';

/** Concatenate templates without the spaces between them, which would be text nodes. @param {...string} pieces */
const html = (...pieces) => pieces.join("");

/** @param {string} name @param {string} label */
const field = (name, label) =>
  html(
    `<div class="vibe-${name}"><div class="vibe-label">${label}</div><pre class="vibe-${name}-text" dir="auto"></pre>`,
    `<div class="vibe-${name}-rich vibe-rich"></div><button type="button" class="vibe-${name}-more vibe-all"></button></div>`,
  );

/** @type {Record<Kind, string>} */
export const TEMPLATES = {
  root: html(
    '<div class="vibe vibe-live jp-RenderedHTMLCommon" role="group">',
    `<div class="vibe-head">${MARK}<bdi class="vibe-title"></bdi>${WORD}${TIME}`,
    '<bdi class="vibe-steps"></bdi><span class="vibe-usage"></span><button type="button" class="vibe-stop"></button></div>',
    '<div class="vibe-net" role="status"><div class="vibe-lines"></div>',
    '<button type="button" class="vibe-reconnect">Reconnect</button></div>',
    '<div class="vibe-parts" aria-live="off"></div>',
    '<div class="vibe-error" role="alert" dir="auto"></div>',
    '<div class="vibe-note" role="status" dir="auto"></div>',
    '<div class="vibe-chat" role="group" aria-label="Chat"></div>',
    // An element without a height: its position is the height of the view's content (layout.js).
    "<div></div></div>",
  ),
  text: '<div class="vibe-text" dir="auto"></div>',
  thinking: html(
    `<div class="vibe-thinking"><div ${FOLD}></div>`,
    '<div class="vibe-body"><div class="vibe-thought" dir="auto"></div></div></div>',
  ),
  tool: html(
    `<div class="vibe-tool"><div ${FOLD}><span class="vibe-row">${MARK}<code>${NAME}</code>`,
    '<bdi class="vibe-preview"></bdi><span class="vibe-bar"><i></i></span><bdi class="vibe-progress"></bdi>',
    `${WORD}${TIME}</span></div>`,
    `<div class="vibe-body">${field("args", "Arguments")}${field("output", "Output")}`,
    '<div class="vibe-error"><div class="vibe-label">Error</div><pre dir="auto"></pre></div>',
    `<div class="vibe-request"></div>${PARTS}</div></div>`,
  ),
  artifact: html(
    '<div class="vibe-artifact"><a class="vibe-link" target="_blank" rel="noopener noreferrer">',
    `${NAME}</a><span class="vibe-facts"></span><div class="vibe-rich"></div></div>`,
  ),
  card: '<div class="vibe-card"></div>',
  run: `<div class="vibe-run"><div class="vibe-summary">${MARK}${NAME}${WORD}</div>${PARTS}</div>`,
};

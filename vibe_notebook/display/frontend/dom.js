/**
 * Changes to the page that keep what is the same.
 *
 * @import { GrowingText } from "./values.js"
 */
import { counted } from "./wording.js";

/** Characters of a growing text in one box: at each change in a box the browser lays out the whole box. */
export const BOX_LENGTH = 8192;
/** Characters up to which a text node is extended: extending a node copies it. */
const NODE_LENGTH = 4096;
/** Characters of an error or a note that are shown at once (MESSAGE_SHOWN in the kernel). */
const MESSAGE_LENGTH = 10_000;
/** Values of `nodeType`; the front end's tests have no global `Node`. */
export const [ELEMENT, TEXT] = [1, 3];

export const div = () => document.createElement("div");

/** Let an image wait until it is near, and be decoded beside the page's other work. @param {HTMLImageElement} image */
export function loadLazily(image) {
  image.setAttribute("loading", "lazy");
  image.setAttribute("decoding", "async");
}

/** @param {string} html sanitised by the kernel */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const link of template.content.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  template.content.querySelectorAll("img").forEach(loadLazily);
  return template.content;
}

/**
 * @param {Element} el
 * @returns a function that shows the kernel's HTML in `el`, and leaves it alone while it is the same
 */
export function card(el) {
  let shown = "";
  return (/** @type {string | undefined} */ html = "") => {
    if (html === shown) return;
    shown = html;
    el.replaceChildren(parse(html));
  };
}

/**
 * @param {HTMLElement} el
 * @param {(number: number) => string} blob
 * @returns a function that shows the blob with a number in `el`, and leaves it alone while it is the same
 */
export function rich(el, blob) {
  let shown = 0;
  el.hidden = true;
  return (/** @type {number} */ number) => {
    if ((number ?? 0) === shown) return;
    shown = number ?? 0;
    el.hidden = !shown;
    el.replaceChildren(parse(shown ? blob(shown) : ""));
  };
}

/**
 * Make the nodes of `box` after `last` those of `wanted`, and keep the nodes that are the same.
 * @param {Node} box
 * @param {ChildNode | null} last the node before the first to patch; null: patch from the beginning
 * @param {Node} wanted
 * @returns {ChildNode | null} the last patched node
 */
export function patch(box, last, wanted) {
  for (const node of [...wanted.childNodes]) {
    const old = last ? last.nextSibling : box.firstChild;
    if (!old) box.appendChild(node);
    else if (extendsText(old, node)) {
      const text = /** @type {Text} */ (old);
      text.appendData(/** @type {Text} */ (node).data.slice(text.length));
    } else if (!old.isEqualNode(node)) {
      if (isSameElement(old, node)) removeAfter(old, patch(old, null, node));
      else box.replaceChild(node, old);
    }
    last = last ? last.nextSibling : box.firstChild;
  }
  return last;
}

/** @param {Node} old @param {Node} node */
const extendsText = (old, node) =>
  old.nodeType === TEXT && node.nodeType === TEXT && !!node.nodeValue?.startsWith(old.nodeValue ?? "");

/** Tell whether two elements differ in their content only. @param {Node} old @param {Node} node */
export const isSameElement = (old, node) =>
  old.nodeType === ELEMENT && old.cloneNode().isEqualNode(node.cloneNode());

/** Remove the nodes after `last`; null: all. @param {Node} box @param {ChildNode | null} last */
export function removeAfter(box, last) {
  while (box.lastChild && box.lastChild !== last) box.lastChild.remove();
}

/**
 * Colour code.
 * @param {Element} code
 * @param {string} colours runs over the code's text: each a class or nothing, then the run's length as a dot for each
 *   26 units and a letter, where A is 0
 */
export function colour(code, colours) {
  const text = code.textContent ?? "";
  /** @type {(string | Node)[]} */
  const made = [];
  let at = 0;
  for (const [, name, dots, letter] of colours.matchAll(/([a-z0-9]*)(\.*)([A-Z])/g)) {
    const end = at + 26 * dots.length + letter.charCodeAt(0) - "A".charCodeAt(0);
    const run = text.slice(at, end);
    if (name) {
      const span = document.createElement("span");
      span.className = name;
      span.textContent = run;
      made.push(span);
    } else made.push(run);
    at = end;
  }
  code.replaceChildren(...made, text.slice(at));
}

/** Set an element's text where it changed; hide the element without any. @param {HTMLElement} el @param {any} value */
export function show(el, value) {
  const text = String(value || "");
  if (el.textContent !== text) el.textContent = text;
  el.hidden = !text;
}

/**
 * Show an error or a note in an element: of a long one the beginning, and a button that shows all of it.
 * @param {HTMLElement} el
 */
export function message(el) {
  let shown = "";
  let isWhole = false;
  el.hidden = true;
  return (/** @type {any} */ value) => {
    const text = String(value || "");
    if (text === shown) return;
    shown = text;
    el.hidden = !text;
    if (isWhole || text.length <= MESSAGE_LENGTH) {
      el.textContent = text;
      return;
    }
    el.textContent = `${text.slice(0, MESSAGE_LENGTH)}…`;
    const all = document.createElement("button");
    all.type = "button";
    all.className = "vibe-all";
    all.textContent = `Show all (${counted(text.length, "characters")})`;
    all.onclick = () => {
      isWhole = true;
      el.textContent = shown;
    };
    el.append("\n", all);
  };
}

/** Find where appended text belongs: the innermost last element that can hold text. @param {HTMLElement} el */
export function innermost(el) {
  for (;;) {
    let last = el.lastChild;
    while (last?.nodeType === TEXT && !last.nodeValue?.trim()) last = last.previousSibling;
    if (last?.nodeType !== ELEMENT || /^(br|hr|img|input|math)$/i.test(last.nodeName)) return el;
    el = /** @type {HTMLElement} */ (last);
  }
}

/**
 * Show a growing text in an element: each call appends the new text, and the lines of a long text go into boxes.
 * @param {HTMLElement} el
 * @param {Element[]} [scrolls] list to which the element is added if it scrolls and its reader is at its end
 */
export function growing(el, scrolls) {
  /** @type {GrowingText | undefined} */
  let shown;
  let chunks = 0; // chunks of the text on the page
  let atEnd = true; // the reader is at the end
  let room = BOX_LENGTH; // characters that still fit into the box
  let box = el;
  const lineEnd = el.closest("pre") ? /\n/g : /\s/g;
  if (scrolls) {
    el.onscroll = () => {
      atEnd = el.scrollTop + el.clientHeight > el.scrollHeight - 4;
    };
  }

  /** @param {string} text */
  function append(text) {
    const last = box.lastChild;
    if (text && last?.nodeType === TEXT && /** @type {Text} */ (last).length < NODE_LENGTH) {
      /** @type {Text} */ (last).appendData(text);
    } else if (text) box.append(text);
    room -= text.length;
  }

  function startBox() {
    box = document.createElement("span");
    box.style.display = "block";
    el.style.display = "block";
    // The browser paints a box by itself, unless long lines may stick out of it.
    if (!/^(pre|nowrap)$/.test(getComputedStyle(el).whiteSpace)) box.style.contain = "paint";
    el.append(box);
    room = BOX_LENGTH;
  }

  return (/** @type {GrowingText} */ text) => {
    if (shown && shown !== text) {
      el.textContent = "";
      chunks = 0;
      room = BOX_LENGTH;
      box = el;
    }
    shown = text;
    let added = text.chunks.slice(chunks).join("");
    chunks = text.chunks.length;
    if (added && atEnd) scrolls?.push(el);
    while (added.length > room) {
      lineEnd.lastIndex = Math.max(room, 0);
      if (!lineEnd.test(added)) break;
      append(added.slice(0, lineEnd.lastIndex));
      added = added.slice(lineEnd.lastIndex);
      startBox();
    }
    append(added);
  };
}

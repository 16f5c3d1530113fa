/**
 * Show a text part: closed items, each added once, then the open block, then the text that grows at its end.
 *
 * A browser visits all siblings of a growing element. So closed items stand in groups, and many groups in boxes of
 * groups. A long list, table or paragraph continues in another element that looks like the rest of it.
 *
 * @import { GrowingText, Item, Part } from "./values.js"
 */
import {
  BOX_LENGTH,
  colour,
  div,
  ELEMENT,
  growing,
  innermost,
  isSameElement,
  parse,
  patch,
  removeAfter,
  TEXT,
} from "./dom.js";
import { NO_TEXT } from "./values.js";

/** Mark that opens a container (before an item's HTML) or closes it (an item alone, or in the open block's HTML). */
const LEAVE = "\0";
/** Closed elements in one group. */
const GROUP = 64;
/** Groups beside each other before further groups go into a box. */
const GROUPS = 8;
/** Pieces of a continued list in one group. */
const PIECES = 16;

/**
 * Continue a list, table or paragraph in another element that looks like the rest of it.
 * @param {HTMLElement} list
 * @returns the element where the next items belong
 */
function continueIn(list) {
  list.className = "vibe-more";
  const next = /** @type {HTMLElement} */ (list.cloneNode());
  list.style.marginBottom = "0";
  next.style.marginTop = "0";
  list.after(next);
  if (list.nodeName === "OL") {
    /** @type {HTMLOListElement} */ (next).start =
      /** @type {HTMLOListElement} */ (list).start + list.children.length;
  }
  return list.nodeName === "TABLE" ? continueTable(list, next) : next;
}

/** @param {HTMLElement} table @param {HTMLElement} next */
function continueTable(table, next) {
  if (!table.querySelector("col")) fixColumns(table, next);
  next.append(/** @type {Element} */ (table.firstChild).cloneNode(true));
  const body = document.createElement("tbody");
  next.append(body);
  // Every other row has a shade: a hidden row keeps the count.
  const rows = table.lastElementChild?.children.length ?? 0;
  if (rows % 2) body.append(Object.assign(document.createElement("tr"), { hidden: true }));
  return body;
}

/** Keep the columns as wide as they are now: two tables would each choose their own. @param {HTMLElement[]} tables */
function fixColumns(...tables) {
  const [table] = tables;
  /** @param {Element} el @param {Element | null} of */
  const share = (el, of) =>
    `${(100 * el.getBoundingClientRect().width) / (of?.getBoundingClientRect().width || 1)}%`;
  const columns = document.createElement("colgroup");
  for (const cell of table.querySelector("tr")?.children ?? []) {
    columns.append(Object.assign(document.createElement("col"), { style: `width:${share(cell, table)}` }));
  }
  // A little wider than now, because later rows may be wider.
  const width = `min(100%, 1.15 * ${share(table, table.parentElement)})`;
  table.prepend(columns);
  for (const { style } of tables) {
    style.width = width;
    style.tableLayout = "fixed";
  }
}

/** Return the only element between two siblings; nothing if there are more. @param {Node?} first @param {Node?} last */
function onlyElement(first, last) {
  const isText = (/** @type {Node?} */ node) => node?.nodeType === TEXT && !node.nodeValue?.trim();
  const end = isText(last) && last !== first ? last?.previousSibling : last;
  return first && first === end && first.nodeType === ELEMENT ? /** @type {Element} */ (first) : undefined;
}

/**
 * Show a text part.
 * @param {HTMLElement} el
 * @param {Part} part
 * @returns a function that updates the element
 */
export function createText(el, part) {
  /** @type {Item[] | undefined} the list of items on the page */
  let items;
  let shown = 0; // items of it
  let revisions = 0; // items of it that were replaced since
  /** @type {(Element | undefined)[]} the element of each item that is one element */
  let elements = [];
  /** @type {GrowingText | undefined} the tail on the page */
  let tail;
  let growTail = growing(el);
  /** The group that is being filled. A full group is not laid out again. */
  let group = el;
  let held = GROUP; // elements in the group, or in the container that is open in it
  /** The element to which groups are added: `el`, then boxes of groups. */
  let groups = el;
  /** The element to which closed items are added: the group, or the innermost element of the open container. */
  let box = el;
  /** @type {ChildNode | null} the last closed node of `box` */
  let last = null;
  /** @type {ChildNode | null} the open container: the last node of the group */
  let container = null;

  /** @param {HTMLElement} next */
  function addGroup(next) {
    if (groups.childElementCount >= GROUPS) {
      groups = Object.assign(div(), { className: "vibe-groups" });
      el.append(groups);
    }
    groups.append(next);
    group = next;
  }

  /** Start another group, or another piece of the open container, if the current one is full. */
  function makeRoom() {
    if (held < GROUP) return;
    held = 0;
    if (container) continueContainer();
    else {
      box = div();
      addGroup(box);
      last = null;
    }
  }

  function continueContainer() {
    const list = /** @type {HTMLElement} */ (group.lastElementChild);
    // A deeper container, for example a list in a quote, is not continued.
    if (box !== list && list.nodeName !== "TABLE") return;
    removeAfter(box, last);
    box = continueIn(list);
    if (group.children.length > PIECES) {
      const next = div();
      next.append(/** @type {Element} */ (list.nextElementSibling));
      addGroup(next);
    }
    container = group.lastChild;
    last = box.lastChild;
  }

  function leaveContainer() {
    box = group;
    last = container;
    container = null;
    held = group.children.length;
  }

  /** @param {string} html */
  function enterContainer(html) {
    group.append(parse(html));
    container = group.lastChild;
    box = innermost(group);
    last = box.lastChild;
    held = 0;
  }

  /** @param {Item} item */
  function add(item) {
    const {
      html,
      colours,
      tail: text,
    } = typeof item === "string" ? { html: item, colours: "", tail: NO_TEXT } : item;
    if (html.startsWith(LEAVE)) {
      removeAfter(box, last);
      removeAfter(group, container ?? last);
      if (html === LEAVE) leaveContainer();
      else enterContainer(html.slice(LEAVE.length));
      return;
    }
    const before = last;
    const from = shown;
    const isParagraph = !!container && group.lastElementChild?.nodeName === "P";
    if (!text.length) last = patch(box, last, parse(html));
    else {
      if (text === tail)
        growTail(text); // the page already has the former open block with its tail
      else {
        removeAfter(box, last);
        box.append(parse(html));
        growing(innermost(box))(text);
      }
      last = box.lastChild;
    }
    const first = before ? before.nextSibling : box.firstChild;
    if (typeof item === "string") elements[from] = onlyElement(first, last);
    finish(first, isParagraph, colours);
  }

  /** Show the items that were replaced; an item that is more than one element needs all items anew. */
  function revise() {
    let isDone = true;
    for (; revisions < part.revised.length; revisions++) {
      const index = part.revised[revisions];
      const wanted = parse(String(part.blocks[index]));
      const now = onlyElement(wanted.firstChild, wanted.lastChild);
      const old = elements[index];
      if (index >= shown) continue;
      if (old && now && isSameElement(old, now)) removeAfter(old, patch(old, null, now));
      else isDone = false;
    }
    return isDone;
  }

  /**
   * Count and colour the nodes that an item added.
   * @param {ChildNode | null} first the first added node
   * @param {boolean} isParagraph true if the item continues a paragraph
   * @param {string} colours of each piece of code in the item, separated by ";"
   */
  function finish(first, isParagraph, colours) {
    const codes = [];
    for (let node = first; node; node = node === last ? null : node.nextSibling) {
      // A paragraph has no elements to count: the characters of one box fill it.
      if (isParagraph) held += ((node.textContent ?? "").length * GROUP) / BOX_LENGTH;
      if (node.nodeType !== ELEMENT) continue;
      if (!isParagraph) held++;
      if (colours) codes.push(.../** @type {Element} */ (node).querySelectorAll(".highlight code"));
    }
    const each = colours.split(";");
    codes.forEach((code, i) => {
      if (each[i]) colour(code, each[i]);
    });
  }

  /** Show the open block, and the part of it that stands after the container. */
  function showOpen() {
    const [inside, after] = part.open.split(LEAVE);
    removeAfter(box, patch(box, last, parse(inside)));
    if (container) removeAfter(group, after ? patch(group, container, parse(after)) : container);
    growTail = growing(part.open ? innermost(el) : box);
  }

  return () => {
    if (items !== part.blocks || !revise()) {
      el.replaceChildren();
      items = part.blocks;
      shown = 0;
      revisions = part.revised.length;
      elements = [];
      held = GROUP;
      groups = el;
      container = null;
      tail = undefined;
    }
    for (; shown < items.length; shown++) {
      makeRoom();
      add(items[shown]);
      tail = undefined;
    }
    makeRoom();
    if (tail !== part.tail) showOpen();
    tail = part.tail;
    growTail(tail);
  };
}

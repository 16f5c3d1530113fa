/**
 * Draw one view of a model: a node for each part, drawn when a message arrives, but not twice in a frame.
 *
 * @import { Part } from "./values.js"
 * @import { PartsStore } from "./parts.js"
 *
 * @typedef {PartsStore & { root: Part, kernelTime: () => number, beat: () => void }} ViewStore
 *   The part of a store that a view uses
 *
 * @typedef {object} PartNode A part on the page
 * @property {HTMLElement} el
 * @property {Element} [box] the element to which groups of its parts are added
 * @property {() => void} update
 * @property {() => number | undefined} tick writes the part's duration, and returns its seconds while the part runs
 *
 * @typedef {ReturnType<typeof createView>} View
 */
import { copyOf } from "./copy.js";
import { div, parse, show } from "./dom.js";
import { clipRows, contentHeight, insertPart, keepPlace, reachBelow, scrollerOf } from "./layout.js";
import { KINDS } from "./parts.js";
import { TEMPLATES } from "./templates.js";
import { depthOf } from "./values.js";
import { duration } from "./wording.js";

/**
 * Pixels from which on a view's height is a whole number. JupyterLab's output area scrolls content that does not fit.
 * From 2 ** 18 px on Chromium cannot represent such fine fractions of a pixel: now and then it computes that the area
 * is too small by one, and visits all of its content.
 */
const VERY_HIGH = 2 ** 17;
/** Pixels below the edge of its scroller at which a view's end still counts as in sight. */
const IN_SIGHT = 4;
/** Milliseconds after which a hidden tab draws: it has no frames. */
const WITHOUT_FRAMES = 100;

/**
 * @param {ViewStore} store
 * @param {HTMLElement} host the host's element
 */
export function createView(store, host) {
  /** @type {Map<Part, PartNode>} */
  const nodes = new Map();
  /** @type {Set<Part>} */
  const dirty = new Set();
  /** @type {PartNode[]} */
  const dropped = [];
  let frame = 0;
  let timer = 0;
  /** True if the view was drawn since the last frame: further news waits for the next frame. */
  let hasDrawn = false;

  // Values of the last frame.
  let height = 0;
  let atEnd = false; // the view's end was in sight
  let end = 0; // the place of the view's end (layout.js, keepPlace)

  /** @type {Element | undefined} */
  let scroller;
  /** @type {{ area: Element, index: number, focused: number } | undefined} the view's place at the last draw */
  let place;

  const resized = new ResizeObserver(() => clipRows(host.querySelectorAll(".vibe-row")));
  // Positions are read after a frame's layout: between the draws of two views each read would lay out the page.
  const grew = new ResizeObserver(follow);
  /**
   * Element beside a very high view that gives the view its height. The browser then lays out the view alone
   * (widget.css), without its surroundings. A height on the view itself would make the browser visit all of its content.
   */
  const space = div();

  /** Find the scroller; search again only if the last search found the page itself. @param {HTMLElement} el */
  function findScroller(el) {
    if (!scroller?.contains(el) || scroller === document.documentElement) scroller = scrollerOf(el);
    return scroller;
  }

  /** Scroll the notebook to keep the view's end in sight, unless the reader left the end or selects text. */
  function follow() {
    const el = nodes.get(store.root)?.el;
    const now = el?.getBoundingClientRect().height ?? 0;
    if (!el || !now) return; // the views of a hidden tab have no height
    const growth = height && now - height;
    const port = findScroller(el);
    const below = reachBelow(el, port);
    height = now;
    atEnd = below - growth < IN_SIGHT && getSelection()?.type !== "Range";
    end = Math.min(below, 0);
    if (atEnd && growth) port.scrollTop += Math.max(below, 0);
    const isWrong = space.parentNode ? el.offsetHeight !== contentHeight(el) : now > VERY_HIGH;
    if (isWrong) view.touch(store.root);
  }

  /** Make a very high view as high as its content. A view that was very high once stays so. @param {HTMLElement} el */
  function fitHeight(el) {
    if (!space.parentNode) {
      if (height <= VERY_HIGH) return;
      space.style.height = `${Math.ceil(height)}px`;
      host.classList.add("vibe-high");
      host.append(space);
    }
    const content = contentHeight(el);
    if (content > 1) space.style.height = `${content}px`; // a hidden tab is not laid out
  }

  /** Store the places of the view and of its focus for the saved form that replaces it. @param {HTMLElement} el */
  function rememberPlace(el) {
    const child = el.closest(".jp-OutputArea-child");
    const area = child?.parentElement;
    const focus = document.activeElement;
    const folds = [...el.querySelectorAll(".vibe-fold")];
    // The first disclosure gets the focus of a button.
    const focused = focus && el.contains(focus) ? Math.max(folds.indexOf(focus), 0) : -1;
    place = area ? { area, index: [...area.children].indexOf(child), focused } : undefined;
  }

  /** Write a part's duration. @param {Part} part @param {HTMLElement} el */
  function showDuration({ props: { t0, t1 } }, el) {
    if (store.gone() && !t1) return; // the last duration stays
    const age = (t1 || store.kernelTime()) - t0;
    show(el, t0 && !Number.isNaN(age) && duration(age));
    return t0 && !t1 && store.live() ? age : undefined;
  }

  /** @param {Part} part @returns {PartNode} */
  function build(part) {
    const el = /** @type {HTMLElement} */ (parse(TEMPLATES[part.kind]).firstChild);
    /** @type {Record<string, any>} */
    const at = {};
    for (const child of el.querySelectorAll("[class]")) {
      at[child.classList[0].slice("vibe-".length)] = child;
    }
    const update = KINDS[part.kind](el, at, part, store, view);
    return { el, box: at.parts, update, tick: () => at.time && showDuration(part, at.time) };
  }

  /** Update a part, and put its parts in their places. @param {Part} part @returns {PartNode} */
  function draw(part) {
    const node = nodes.get(part) ?? build(part);
    nodes.set(part, node);
    node.update();
    if (node.tick() === undefined) view.ticking.delete(node);
    else view.ticking.add(node);
    /** @type {HTMLElement | undefined} */
    let before;
    for (const child of part.parts) {
      const { el } = nodes.get(child) ?? draw(child);
      const group = before ? before.parentElement : node.box?.firstElementChild;
      const next = before ? before.nextSibling : group?.firstChild;
      const isInPlace = el === (next ?? (before && group?.nextSibling?.firstChild));
      if (!isInPlace) insertPart(node.box, group, el, next);
      before = el;
    }
    return node;
  }

  function removeDropped() {
    for (const { el } of dropped.splice(0)) {
      const group = el.parentElement;
      el.remove();
      // A group has no class; the element around groups has one.
      if (!group?.className && !group?.firstChild) group?.remove();
    }
  }

  function schedule() {
    frame ||= requestAnimationFrame(flush);
    timer ||= setTimeout(flush, WITHOUT_FRAMES);
  }

  function unschedule() {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = 0;
    timer = 0;
  }

  function mountRoot() {
    host.append(draw(store.root).el);
    // Only the head: the rest grows with the text.
    resized.observe(/** @type {Element} */ (host.querySelector(".vibe-head")));
    // Both, because a very high view does not grow with its parts.
    for (const el of host.querySelectorAll(".vibe, .vibe > .vibe-parts")) grew.observe(el);
  }

  function flush() {
    unschedule();
    hasDrawn = dirty.size + dropped.length > 0 || !nodes.size;
    if (!hasDrawn) return;
    schedule(); // news until the next frame is drawn with that frame
    const el = nodes.get(store.root)?.el;
    if (el && !height) view.measure(); // news in the view's first frame counts as growth
    removeDropped();
    // From the top down: else a part could be put into a part that is still inside it.
    for (const part of [...dirty].sort((a, b) => depthOf(a) - depthOf(b))) draw(part);
    dirty.clear();
    for (const box of view.scrolls.splice(0)) box.scrollTop = box.scrollHeight;
    if (el) {
      fitHeight(el);
      rememberPlace(el);
    } else mountRoot();
    clipRows(view.rows);
    view.rows.clear();
    store.beat();
  }

  const view = {
    /** @type {Set<PartNode>} nodes whose duration grows */
    ticking: new Set(),
    /** @type {Element[]} elements to scroll to their end after the draw */
    scrolls: [],
    /** @type {Set<Element>} rows to clip after the draw */
    rows: new Set(),
    flush,

    /** Return the forms of what the view shows, for a notebook whose kernel is gone. */
    copy: () => copyOf(/** @type {PartNode} */ (nodes.get(store.root)).el, store.root.props.mark),

    /** Store the view's present height, so that earlier changes do not count as growth. */
    measure() {
      const { el } = /** @type {PartNode} */ (nodes.get(store.root));
      fitHeight(el);
      ({ height } = el.getBoundingClientRect());
    },

    /** Draw a message's news now, if the message is the first since the last frame. */
    drawNews() {
      if (!hasDrawn) flush();
    },

    /** Record that a part changed. @param {Part} part */
    touch(part) {
      dirty.add(part);
      schedule();
    },

    /** Remove a moving part from its place: else all parts after it would move. @param {Part} part */
    lift(part) {
      const node = nodes.get(part);
      if (node) dropped.push(node);
    },

    /** Drop a deleted part. @param {Part} part */
    drop(part) {
      const node = nodes.get(part);
      if (node) {
        dropped.push(node);
        view.ticking.delete(node);
      }
      nodes.delete(part);
      dirty.delete(part);
      schedule();
    },

    close() {
      unschedule();
      resized.disconnect();
      grew.disconnect();
      nodes.get(store.root)?.el.remove();
      space.remove();
      host.classList.remove("vibe-high");
      if (place && scroller && !store.live()) keepPlace({ ...place, scroller, atEnd, end });
    },
  };
  return view;
}

/** Measure and place elements on the page, and scroll the notebook. */
import { div } from "./dom.js";
import CSS from "./widget.css";

/** Parts in one group. */
const GROUP = 32;
/** Groups beyond which the browser skips full groups that are far away: finding them at each frame has a cost too. */
const MANY = 16;
/** Milliseconds in which the saved form in a view's place may still change its height. */
const RESIZE_TIME = 2000;

/**
 * Put the stylesheet into the page, or into the shadow root, once: setting it again would style the whole page again.
 * @param {HTMLElement} host
 */
export function addStylesheet(host) {
  const root = /** @type {ShadowRoot} */ (host.getRootNode());
  const head = root.host ? root : document.head;
  const style =
    head.querySelector(".vibe-style") ??
    Object.assign(document.createElement("style"), { className: "vibe-style" });
  if (style.textContent !== CSS) style.textContent = CSS;
  if (!style.parentNode) head.append(style);
}

/**
 * Clip the pieces that do not fit in their row, and no others: the browser paints each clipped piece apart.
 * @param {Iterable<Element>} rows
 */
export function clipRows(rows) {
  const all = [...rows];
  // All rows are measured before the first is changed, so that the page is laid out once.
  const clips = all.map((row) => [...row.children].some((child) => child.scrollWidth > child.clientWidth));
  all.forEach((row, i) => {
    row.classList.toggle("vibe-cut", clips[i]);
  });
}

/**
 * Measure the whole pixels that a very high view needs for its content, at least 1. Its last child has no height.
 * @param {HTMLElement} el
 */
export const contentHeight = (el) => /** @type {HTMLElement} */ (el.lastChild).offsetTop + 1;

/** Find the nearest ancestor that scrolls now. @param {Element} el */
export function scrollerOf(el) {
  for (let up = el.parentElement; up; up = up.parentElement) {
    const isOverfull = up.scrollHeight > up.clientHeight + 1;
    if (isOverfull && /auto|scroll/.test(getComputedStyle(up).overflowY)) return up;
  }
  return document.documentElement;
}

/** Measure the pixels of an element below its scroller's lower edge. @param {Element} el @param {Element} scroller */
export function reachBelow(el, scroller) {
  const isPage = scroller === document.documentElement;
  return el.getBoundingClientRect().bottom - (isPage ? innerHeight : scroller.getBoundingClientRect().bottom);
}

/**
 * Insert a part before `next`; without `next`, at the end of `group`, or of another group if that one is full.
 * @param {Element | undefined} box the element that takes groups
 * @param {Element | null | undefined} group
 * @param {Element} el
 * @param {ChildNode | null | undefined} next
 */
export function insertPart(box, group, el, next) {
  // A text never starts a group: the margin between it and the part before would change.
  const isFull = !next && group && group.childElementCount >= GROUP && !el.matches(".vibe-text");
  if (group && !isFull) {
    group.insertBefore(el, next ?? null);
    return;
  }
  const made = div();
  made.append(el);
  if (!group) {
    box?.append(made);
    return;
  }
  group.after(made);
  group.toggleAttribute("data-full", !!box?.children[MANY]);
}

/**
 * Keep the end of the saved form in a view's place in sight, and the focus in the form, until the user acts.
 * @param {object} place
 * @param {Element} place.area the cell's output area
 * @param {number} place.index the view's index among the area's children
 * @param {number} place.focused the index of the view's disclosure that gets the focus; -1: the focus was elsewhere
 * @param {Element} place.scroller
 * @param {boolean} place.atEnd true if the view's end was in sight
 * @param {number} place.end pixels of the view's end below the edge of the scroller; 0: at the edge, or further down
 */
export function keepPlace({ area, index, focused, scroller, atEnd, end }) {
  const watch = new ResizeObserver(() => {
    const form = area.children[index];
    // A saved form with very many calls folds them into clusters.
    const fold = form?.querySelectorAll(":not(.vibe-cluster) > summary")[focused];
    const cluster = fold?.closest(".vibe-cluster:not([open])");
    const shown = /** @type {HTMLElement | undefined} */ (cluster?.firstChild ?? fold);
    if (document.activeElement === document.body) shown?.focus({ preventScroll: true });
    const now = atEnd && form ? Math.ceil(reachBelow(form, scroller)) : end;
    // A form that is much lower would leave only the empty space below the notebook in sight.
    const isMuchLower = now < end - scroller.clientHeight / 2;
    scroller.scrollTop += isMuchLower ? now - end : Math.max(now, 0);
  });
  const stop = () => watch.disconnect();
  watch.observe(area);
  for (const action of ["wheel", "keydown", "pointerdown"]) addEventListener(action, stop, { once: true });
  setTimeout(stop, RESIZE_TIME);
}

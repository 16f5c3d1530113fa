/**
 * The browser's half of docs/wire.md, the last step of the path: the kernel renders, this applies.
 * The state belongs to the model (createStore); a view (createView) has one node for each part and brings
 * it up to date at once, but not twice in a frame. What is not HTML that the kernel sanitised is set as text.
 * All in one file, for a widget travels as one module.
 * @import {AnyModel, AnyWidget} from "@anywidget/types"
 * @typedef {{ list: string[], length: number }} Grown a growing text; another object once it was cut
 * @typedef {string | { html: string, runs: string, tail: Grown }} Item a closed piece of a text
 * @typedef {{ key: number, kind: string, props: Record<string, any>, fields: Map<string, Grown>,
 *   blocks: Item[], open: string, tail: Grown, up?: Part, parts: Part[] }} Part
 * @typedef {{ el: HTMLElement, box?: Element, sync: () => void, tick: () => number | undefined }} Shown
 * @typedef {ReturnType<typeof createStore>} Store
 * @typedef {ReturnType<typeof createView>} View
 */

/** The stylesheet: its text stands here once it travels. */
const CSS = "widget.css";
const LEAVE = "\0";
/**
 * From how many pixels on a view's height is kept whole. JupyterLab's output area scrolls what does not fit in it; of
 * 2 ** 18 px Chromium no longer knows the 64ths, takes the area for too small by one now and then, and walks through all of it.
 */
const HIGH = 2 ** 17;
/** How many characters of a growing text, closed elements, groups of them, lists that go on, and parts share a box. */
const [BOX, GROUP, GROUPS, LISTS, PARTS] = [8192, 64, 8, 16, 32];
/** After how many groups of parts it is worth while to leave out full ones: to see where they are costs something too. */
const MANY = 16;
const GONE = "The kernel is gone. What was streamed stays.";
const FIELD = (/** @type {string} */ name, /** @type {string} */ title) =>
  `<div class="vibe-${name}"><div class="vibe-label">${title}</div><pre></pre></div>`;
const MARK = '<span class="vibe-mark" aria-hidden="true"></span>';
const WORDS = '<span class="vibe-word"></span><span class="vibe-time"></span>';
// No <details>: Chromium gives each a stylesheet of its own, and goes through those of the page at each new one.
const FOLD = 'class="vibe-summary vibe-fold" role="button" tabindex="0"';
/** @type {Record<string, string>} */
const FORMS = {
  root: `<div class="vibe vibe-live jp-RenderedHTMLCommon" role="group"><div class="vibe-head">${MARK}<bdi class="vibe-title"></bdi>${WORDS}\
<span class="vibe-usage"></span><button type="button" class="vibe-stop"></button></div>\
<div class="vibe-net" role="status"><div class="vibe-lines"></div><button type="button" class="vibe-reconnect">Reconnect</button></div>\
<div class="vibe-parts" \
aria-live="off"></div><div class="vibe-error" role="alert"></div><div class="vibe-note" role="status"></div><div></div></div>`,
  text: '<div class="vibe-text"></div>',
  thinking: `<div class="vibe-thinking"><div ${FOLD}></div><div class="vibe-body"><div class="vibe-thought"></div></div></div>`,
  tool: `<div class="vibe-tool"><div ${FOLD}><span class="vibe-row">${MARK}<code><bdi class="vibe-name"></bdi></code>\
<bdi class="vibe-preview"></bdi><span class="vibe-bar"><i></i></span><bdi class="vibe-progress"></bdi>${WORDS}</span></div>\
<div class="vibe-body">${FIELD("args", "Arguments")}${FIELD("output", "Output")}${FIELD("error", "Error")}<div class="vibe-parts"></div></div></div>`,
  artifact: `<div class="vibe-artifact"><a class="vibe-link" target="_blank" rel="noopener noreferrer">\
<bdi class="vibe-name"></bdi></a><span class="vibe-facts"></span></div>`,
  run: `<div class="vibe-run"><div class="vibe-summary">${MARK}<bdi class="vibe-name"></bdi><span class="vibe-word"></span>\
</div><div class="vibe-parts"></div></div>`,
};

const div = () => document.createElement("div");

/** @param {string} html */
function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const link of template.content.querySelectorAll("a")) [link.target, link.rel] = ["_blank", "noopener noreferrer"];
  return template.content;
}

/** Makes the nodes of `box` after `last` those of `made`, keeping what is the same. Gives the last of them.
 * @param {Node} box @param {ChildNode | null} last @param {Node} made @returns {ChildNode | null} */
function patch(box, last, made) {
  for (const node of [...made.childNodes]) {
    const old = last ? last.nextSibling : box.firstChild;
    if (old?.nodeType === 3 && node.nodeType === 3 && node.nodeValue?.startsWith(old.nodeValue ?? "")) {
      const text = /** @type {Text} */ (old);
      text.appendData(node.nodeValue.slice(text.length));
    } else if (old && !old.isEqualNode(node)) {
      if (old.nodeType === 1 && old.cloneNode().isEqualNode(node.cloneNode())) cut(old, patch(old, null, node));
      else box.replaceChild(node, old);
    } else if (!old) box.appendChild(node);
    last = last ? last.nextSibling : box.firstChild;
  }
  return last;
}

/** Drops what follows `last`. @param {Node} box @param {ChildNode | null} last */
function cut(box, last) {
  while (box.lastChild && box.lastChild !== last) box.lastChild.remove();
}

/** Colours code: each run a class, then its length as a dot for each 26 and a letter. @param {Element} code @param {string} runs */
function colour(code, runs) {
  const text = code.textContent ?? "";
  /** @type {(string | Node)[]} */
  const made = [];
  let at = 0;
  for (const [, name, dots, letter] of runs.matchAll(/([a-z0-9]*)(\.*)([A-Z])/g)) {
    const part = text.slice(at, (at += 26 * dots.length + letter.charCodeAt(0) - 65));
    if (name) {
      const span = document.createElement("span");
      [span.className, span.textContent] = [name, part];
      made.push(span);
    } else made.push(part);
  }
  code.replaceChildren(...made, text.slice(at));
}

/** Sets text where it changed; without any, the element is hidden. @param {HTMLElement} el @param {any} value */
function show(el, value) {
  const text = String(value || "");
  if (el.textContent !== text) el.textContent = text;
  el.hidden = !text;
}

/** @param {...any} words */
const dots = (...words) => words.filter((w) => w || w === 0).join(" · ");
/** @param {any} n @param {string} unit */
const count = (n, unit) => n && `${Number(n).toLocaleString("en-US")} ${unit}`;
/** @param {any} state */
const words = (state) => String(state ?? "").replaceAll("_", " ");

/** @param {number} s seconds */
function duration(s) {
  const m = Math.floor(s / 60);
  if (m < 1) return `${s < 10 ? Math.max(s, 0).toFixed(1) : Math.floor(s)} s`;
  return m < 60 ? `${m} m ${Math.floor(s % 60)} s` : `${Math.floor(m / 60)} h ${m % 60} m`;
}

/** Where appended text belongs: the innermost last element that can hold text. @param {HTMLElement} el */
function innermost(el) {
  for (;;) {
    let last = el.lastChild;
    while (last?.nodeType === 3 && !last.nodeValue?.trim()) last = last.previousSibling;
    if (last?.nodeType !== 1 || /^(br|hr|img|input|math)$/i.test(last.nodeName)) return el;
    el = /** @type {HTMLElement} */ (last);
  }
}

/**
 * Shows a growing text by adding what is new. A long one is in boxes of its lines, for a browser lays out
 * a box anew, whole, at every change in it.
 * @param {HTMLElement} el @param {Element[]} [scrolls]
 */
function growing(el, scrolls) {
  /** @type {Grown | undefined} */
  let from;
  let [shown, stick, room] = [0, true, BOX];
  let box = el;
  const end = el.closest("pre") ? /\n/g : /\s/g;
  if (scrolls) el.onscroll = () => (stick = el.scrollTop + el.clientHeight > el.scrollHeight - 4);
  /** @param {string} text */
  const put = (text) => {
    const last = /** @type {Text | null} */ (box.lastChild);
    // A text node is extended only while it is short: extending copies it.
    if (text && last?.nodeType === 3 && last.length < 4096) last.appendData(text);
    else if (text) box.append(text);
    room -= text.length;
  };
  return (/** @type {Grown} */ text) => {
    if (from && from !== text) [el.textContent, shown, room, box] = ["", 0, BOX, el];
    from = text;
    let add = text.list.slice(shown).join("");
    shown = text.list.length;
    if (add && stick) scrolls?.push(el);
    while (add.length > room) {
      end.lastIndex = Math.max(room, 0);
      if (!end.test(add)) break;
      put(add.slice(0, end.lastIndex));
      add = add.slice(end.lastIndex);
      box = document.createElement("span");
      el.style.display = box.style.display = "block";
      // Painted by itself, unless long lines may stick out of it.
      if (!/^(pre|nowrap)$/.test(getComputedStyle(el).whiteSpace)) box.style.contain = "paint";
      el.append(box);
      room = BOX;
    }
    put(add);
  };
}

/** Goes on with a list, table or paragraph in another one that looks like the rest of it. @param {HTMLElement} list */
function another(list) {
  list.className = "vibe-more";
  const made = /** @type {HTMLElement} */ (list.cloneNode());
  list.style.marginBottom = made.style.marginTop = "0";
  list.after(made);
  if (list.nodeName === "OL") /** @type {any} */ (made).start = /** @type {any} */ (list).start + list.children.length;
  if (list.nodeName !== "TABLE") return made;
  if (!list.querySelector("col")) {
    const cells = [...(list.querySelector("tr")?.children ?? [])];
    const share = (/** @type {Element} */ cell, /** @type {Element | null} */ of) =>
      `${(100 * cell.getBoundingClientRect().width) / (of?.getBoundingClientRect().width || 1)}%`;
    const cols = document.createElement("colgroup");
    for (const cell of cells) cols.append(Object.assign(document.createElement("col"), { style: `width:${share(cell, list)}` }));
    // A little wider, for what later rows hold.
    const width = `min(100%, 1.15 * ${share(list, list.parentElement)})`;
    list.prepend(cols);
    for (const { style } of [list, made]) [style.width, style.tableLayout] = [width, "fixed"];
  }
  made.append(/** @type {Element} */ (list.firstChild).cloneNode(true));
  const body = document.createElement("tbody");
  made.append(body);
  // Every other row has a shade.
  if ((list.lastElementChild?.children.length ?? 0) % 2) body.append(Object.assign(document.createElement("tr"), { hidden: true }));
  return body;
}

/**
 * A disclosure, where the user's choice wins over the kernel's.
 * @param {Record<string, any>} at @param {Part} part @param {Store} store @param {View} view
 */
function folding({ summary, body }, part, store, view) {
  let open = false;
  const fold = (/** @type {boolean} */ now) => {
    body.hidden = !now;
    summary.setAttribute("aria-expanded", String((open = now)));
    for (const row of body.querySelectorAll(".vibe-row")) view.rows.add(row);
  };
  fold(false);
  summary.onclick = () => {
    fold(!open);
    view.measure(); // to what the reader opens the view is not scrolled
    store.toggle(part, open);
  };
  summary.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (!event.repeat) summary.click();
  };
  return (/** @type {boolean} */ preset) => {
    const now = store.chosen.get(part.key) ?? preset;
    if (now !== open) fold(now);
  };
}

/**
 * What brings a kind of part up to date.
 * @type {Record<string, (el: HTMLElement, at: Record<string, any>, part: Part, store: Store, view: View) => () => void>}
 */
const KINDS = {
  root(el, at, part, store) {
    at.stop.onclick = store.stop;
    at.reconnect.onclick = store.reconnect;
    at.word.role = "status";
    let lines = "";
    return () => {
      const { title, outcome, error, usage, note, stoppable, connection } = part.props;
      const state = store.live() ? (store.gone() ? "disconnected" : "live") : (outcome ?? "ended");
      el.dataset.state = state;
      show(at.title, title);
      el.ariaLabel = title;
      show(at.word, words(state));
      show(at.usage, typeof usage === "string" ? usage : usage && dots(usage.model, count(usage.input_tokens, "in"),
        count(usage.output_tokens, "out"), usage.cost && `$${Number(usage.cost).toFixed(4)}`));
      show(at.stop, store.stopping() ? "Stopping…" : "Stop");
      at.stop.disabled = store.stopping();
      at.stop.hidden = !stoppable || state !== "live";
      const said = JSON.stringify(connection ?? []);
      if (said !== lines) {
        lines = said;
        at.lines.replaceChildren(...(connection ?? []).map((/** @type {[string, string]} */ [state, text]) => {
          const line = div();
          line.dataset.state = state;
          line.textContent = text;
          return line;
        }));
      }
      at.net.hidden = !connection?.length;
      at.reconnect.hidden = state !== "live";
      show(at.error, error);
      show(at.note, dots(note, state === "disconnected" && GONE));
    };
  },

  text(el, _, part) {
    /** @type {Item[] | undefined} */
    let items;
    /** @type {Grown | undefined} */
    let tail;
    /** The group that is filled: what is in a full one is not laid out again. */
    let top = el;
    /** Where groups come: el, then boxes of so many, for a browser goes through all that stand beside what grows. */
    let groups = el;
    /** @type {HTMLElement} where closed items come, top or the container that is open in it */
    let box = el;
    /** @type {ChildNode | null} the last closed node of the box */
    let last = null;
    /** @type {ChildNode | null} the last node of the open container */
    let container = null;
    let [shown, held, grow] = [0, GROUP, growing(el)];

    /** @param {HTMLElement} group */
    const add = (group) => {
      if (groups.childElementCount >= GROUPS) {
        el.append((groups = Object.assign(div(), { className: "vibe-groups" })));
      }
      groups.append((top = group));
    };

    const room = () => {
      if (held < GROUP) return;
      held = 0;
      if (!container) {
        add((box = div()));
        last = null;
        return;
      }
      const list = /** @type {HTMLElement} */ (top.lastElementChild);
      if (box !== list && list.nodeName !== "TABLE") return; // a list in a quote, say
      cut(box, last);
      box = another(list);
      if (top.children.length > LISTS) {
        const next = div();
        next.append(/** @type {Element} */ (list.nextElementSibling));
        add(next);
      }
      container = top.lastChild;
      last = box.lastChild;
    };

    /** @param {Item} item */
    const close = (item) => {
      const { html, runs, tail: text } = typeof item === "string" ? { html: item, runs: "", tail: NONE } : item;
      if (html.startsWith(LEAVE)) {
        cut(box, last);
        cut(top, container ?? last);
        if (html === LEAVE) {
          [box, last, container, held] = [top, container, null, top.children.length];
          return;
        }
        top.append(parse(html.slice(1)));
        container = top.lastChild;
        box = innermost(top);
        last = box.lastChild;
        held = 0;
        return;
      }
      const before = last;
      const isWords = container && top.lastElementChild?.nodeName === "P";
      if (text.length && text === tail) grow(text);
      else if (text.length) {
        cut(box, last);
        box.append(parse(html));
        growing(innermost(box))(text);
      } else last = patch(box, last, parse(html));
      if (text.length) last = box.lastChild;
      const codes = [];
      for (let node = before ? before.nextSibling : box.firstChild; node; node = node === last ? null : node.nextSibling) {
        if (isWords) held += ((node.textContent ?? "").length * GROUP) / BOX;
        if (node.nodeType !== 1) continue;
        if (!isWords) held++;
        if (runs) codes.push(.../** @type {Element} */ (node).querySelectorAll(".highlight code"));
      }
      const each = runs.split(";");
      codes.forEach((code, i) => each[i] && colour(code, each[i]));
    };

    return () => {
      if (items !== part.blocks) {
        el.replaceChildren();
        [items, shown, held, groups, container, tail] = [part.blocks, 0, GROUP, el, null, undefined];
      }
      for (; shown < items.length; shown++) {
        room();
        close(items[shown]);
        tail = undefined;
      }
      room();
      if (tail !== part.tail) {
        const [inside, after] = part.open.split(LEAVE);
        cut(box, patch(box, last, parse(inside)));
        if (container) cut(top, after ? patch(top, container, parse(after)) : container);
        grow = growing(part.open ? innermost(el) : box);
      }
      tail = part.tail;
      grow(tail);
    };
  },

  thinking(el, at, part, store, view) {
    const fold = folding(at, part, store, view);
    const grow = growing(at.thought, view.scrolls);
    return () => {
      const { open, done } = part.props;
      el.dataset.state = done ? "done" : "running";
      show(at.summary, done ? "Thought" : "Thinking…");
      grow(grown(part, "text"));
      fold(open ?? !done);
    };
  },

  tool(el, at, part, store, view) {
    const fold = folding(at, part, store, view);
    const [args, output] = [at.args, at.output].map((f) => growing(f.lastChild, view.scrolls));
    return () => {
      const { name, state, preview, progress, total, message, error, open, wide } = part.props;
      const busy = /^(preparing|running|awaiting_approval)$/.test(state);
      el.dataset.state = state ?? "";
      show(at.name, name);
      show(at.preview, preview);
      show(at.word, state === "ok" ? "" : words(state));
      show(at.progress, busy && dots(total ? `${progress ?? 0}/${total}` : progress, message));
      at.bar.hidden = !busy || !(total > 0);
      at.bar.firstChild.style.width = `${Math.min(Math.max((100 * progress) / total || 0, 0), 100)}%`;
      at.args.hidden = !grown(part, "args").length;
      at.output.classList.toggle("vibe-wide", !!wide);
      at.output.hidden = !grown(part, "output").length;
      args(grown(part, "args"));
      output(grown(part, "output"));
      show(at.error.lastChild, error);
      at.error.hidden = !error;
      fold(!!open);
      view.rows.add(at.row);
    };
  },

  artifact(el, { link, name, facts }, part) {
    const img = document.createElement("img");
    return () => {
      const { action, media_type, url, src, size } = part.props;
      show(name, (img.alt = String(part.props.name || "artifact")));
      show(facts, dots(action !== "created" && action, media_type, size > 999 ? count(Math.round(size / 1000), "kB") : count(size, "B")));
      if (/^https?:\/\//i.test(url)) link.href = url;
      else link.removeAttribute("href");
      if (!/^data:image\/(png|jpeg|gif|webp)[;,]/i.test(src)) return img.remove();
      if (img.getAttribute("src") !== src) img.src = src;
      if (!img.parentNode) el.append(img);
    };
  },

  run(el, { name, word }, part) {
    return () => {
      el.dataset.state = part.props.state ?? "";
      show(name, part.props.name);
      show(word, words(part.props.state));
    };
  },
};

/** Sees that the page, or the shadow root, has the stylesheet once: each time it is set, all of the page is styled anew.
 * @param {HTMLElement} host */
function dress(host) {
  const root = /** @type {ShadowRoot} */ (host.getRootNode());
  const head = root.host ? root : document.head;
  const style = head.querySelector(".vibe-style") ?? Object.assign(document.createElement("style"), { className: "vibe-style" });
  if (style.textContent !== CSS) style.textContent = CSS;
  if (!style.parentNode) head.append(style);
}

/** Cuts what does not fit in its row, and only that: each cut piece is a layer of its own to paint.
 * @param {Iterable<Element>} rows */
function fit(rows) {
  const cuts = [...rows].map((row) => [...row.children].some((kid) => kid.scrollWidth > kid.clientWidth));
  for (const row of rows) row.classList.toggle("vibe-cut", cuts.shift());
}

/** How many pixels, in whole ones, a very high view needs for what it holds: its last child has no height. At least 1.
 * @param {HTMLElement} el */
const inner = (el) => /** @type {HTMLElement} */ (el.lastChild).offsetTop + 1;

/** The nearest ancestor that scrolls now. @param {Element} el */
function scroller(el) {
  for (let up = el.parentElement; up; up = up.parentElement) {
    if (up.scrollHeight > up.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(up).overflowY)) return up;
  }
  return document.documentElement;
}

/** How far the element reaches below what its scroller shows. @param {Element} el @param {Element} box */
const below = (el, box) => el.getBoundingClientRect().bottom -
  (box === document.documentElement ? innerHeight : box.getBoundingClientRect().bottom);

/** Puts a part before `next`, or at the end of the group `up`, or of another if that is full.
 * @param {Element | undefined} box @param {Element | null | undefined} up @param {Element} el @param {ChildNode | null | undefined} next */
function insert(box, up, el, next) {
  const isFull = !next && up && up.childElementCount >= PARTS && !el.matches(".vibe-text"); // it keeps its distance
  if (up && !isFull) return up.insertBefore(el, next ?? null);
  const group = div();
  group.append(el);
  if (!up) return box?.append(group);
  up.after(group);
  // It is out of the browser's sight while it is out of the reader's.
  up.toggleAttribute("data-full", !!box?.children[MANY]);
}

/** What took a view's place: its end stays in sight, and the focus in it, until the user does something.
 * @param {{ area: Element, index: number, box: Element, at: number, seen: boolean, ends: number }} place */
function settle({ area, index, box, at, seen, ends }) {
  const watch = new ResizeObserver(() => {
    const now = area.children[index];
    // Where there are very many, they are folded together (_clusters.py).
    const fold = now?.querySelectorAll(":not(.vibe-cluster) > summary")[at];
    const shown = /** @type {HTMLElement | undefined} */ (fold?.closest(".vibe-cluster:not([open])")?.firstChild ?? fold);
    if (document.activeElement === document.body) shown?.focus({ preventScroll: true });
    const left = seen && now ? Math.ceil(below(now, box)) : ends;
    // A form that is much lower would leave nothing but the empty space below the notebook in sight.
    box.scrollTop += left < ends - box.clientHeight / 2 ? left - ends : Math.max(left, 0);
  });
  const stop = () => watch.disconnect();
  watch.observe(area);
  for (const did of ["wheel", "keydown", "pointerdown"]) addEventListener(did, stop, { once: true });
  setTimeout(stop, 2000);
}

/** @param {Part} part @returns {number} */
const depth = (part) => (part.up ? depth(part.up) + 1 : 0);

/** One view: a node for each part. @param {Store} store @param {HTMLElement} host */
function createView(store, host) {
  /** @type {Map<Part, Shown>} */
  const nodes = new Map();
  /** @type {Set<Part>} */
  const dirty = new Set();
  /** @type {Shown[]} */
  const dropped = [];
  let [frame, timer, fresh] = [0, 0, false];
  const sized = new ResizeObserver(() => fit(host.querySelectorAll(".vibe-row")));
  // Positions are read after the layout of a frame: between two views' draws each look lays out the page.
  const grew = new ResizeObserver(follow);
  /**
   * Gives a very high view its height, from beside it: the view is laid out by itself then (widget.css), not with all
   * around it, and a style of its own would have the browser go through all in it.
   */
  const space = div();
  /** @type {Element | undefined} */
  let box;
  let [height, seen, ends] = [0, false, 0]; // of the last frame: whether the end was in sight, and where (0: at the edge)

  /** What scrolls the view, looked for again only where nothing did. @param {HTMLElement} el */
  function frameOf(el) {
    if (!box?.contains(el) || box === document.documentElement) box = scroller(el);
    return box;
  }
  /** @type {Pick<Parameters<typeof settle>[0], "area" | "index" | "at"> | undefined} where it was when it was last written to */
  let place;

  /** The notebook is scrolled only to keep the end in sight, not if the reader left it or is selecting. */
  function follow() {
    const el = nodes.get(store.root)?.el;
    const { height: now = 0 } = el?.getBoundingClientRect() ?? {};
    if (!el || !now) return; // a hidden tab's views have no height
    const grown = height && now - height;
    const port = frameOf(el);
    const left = below(el, port);
    [height, seen, ends] = [now, left - grown < 4 && getSelection()?.type !== "Range", Math.min(left, 0)];
    if (seen && grown) port.scrollTop += Math.max(left, 0);
    if (space.parentNode ? el.offsetHeight !== inner(el) : now > HIGH) view.touch(store.root);
  }

  /** Makes a very high view as high as what it holds; one that was very high goes on so. @param {HTMLElement} el */
  function reach(el) {
    if (!space.parentNode) {
      if (height <= HIGH) return;
      space.style.height = `${Math.ceil(height)}px`;
      host.classList.add("vibe-high");
      host.append(space);
    }
    const holds = inner(el);
    if (holds > 1) space.style.height = `${holds}px`; // not where it is not laid out: a hidden tab
  }

  /** @param {Part} part @returns {Shown} */
  function build(part) {
    const el = /** @type {HTMLElement} */ (parse(FORMS[part.kind]).firstChild);
    /** @type {Record<string, any>} */
    const at = {};
    for (const kid of el.querySelectorAll("[class]")) at[kid.classList[0].slice(5)] = kid;
    const sync = KINDS[part.kind](el, at, part, store, view);
    return { el, box: at.parts, sync, tick: () => at.time && store.clock(part.props, at.time) };
  }

  /** @param {Part} part @returns {Shown} */
  function sync(part) {
    const node = nodes.get(part) ?? build(part);
    nodes.set(part, node);
    node.sync();
    if (node.tick() === undefined) view.ticking.delete(node);
    else view.ticking.add(node);
    /** @type {HTMLElement | undefined} */
    let before;
    for (const kid of part.parts) {
      const { el } = nodes.get(kid) ?? sync(kid);
      const up = before ? before.parentElement : node.box?.firstElementChild;
      const next = before ? before.nextSibling : up?.firstChild;
      if (el !== (next ?? (before && up?.nextSibling?.firstChild))) insert(node.box, up, el, next);
      before = el;
    }
    return node;
  }

  function soon() {
    frame ||= requestAnimationFrame(flush);
    timer ||= setTimeout(flush, 100); // a hidden tab has no frames
  }

  function rest() {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = timer = 0;
  }

  function flush() {
    rest();
    fresh = dirty.size + dropped.length > 0 || !nodes.size;
    if (!fresh) return;
    soon(); // what comes until the next frame is drawn with it
    const el = nodes.get(store.root)?.el;
    if (el && !height) view.measure(); // news in its first frame: what they add is growth
    for (const { el } of dropped.splice(0)) {
      const group = el.parentElement;
      el.remove();
      if (!group?.className && !group?.firstChild) group?.remove();
    }
    // From the top down, or a part could be put into what is still inside it.
    for (const part of [...dirty].sort((a, b) => depth(a) - depth(b))) sync(part);
    dirty.clear();
    for (const box of view.scrolls.splice(0)) box.scrollTop = box.scrollHeight;
    if (!el) {
      host.append(sync(store.root).el);
      sized.observe(/** @type {Element} */ (host.querySelector(".vibe-head"))); // not what grows with the text
      // A very high view does not grow with its parts.
      for (const each of host.querySelectorAll(".vibe, .vibe > .vibe-parts")) grew.observe(each);
    } else {
      reach(el);
      const child = el.closest(".jp-OutputArea-child");
      const area = child?.parentElement;
      // A view that has the focus hands it on; its first fold takes it if the button had it.
      const has = document.activeElement;
      const at = has && el.contains(has) ? Math.max([...el.querySelectorAll(".vibe-fold")].indexOf(/** @type {any} */ (has)), 0) : -1;
      place = area ? { area, index: [...area.children].indexOf(child), at } : undefined;
    }
    fit(view.rows);
    view.rows.clear();
    store.beat();
  }

  const view = {
    /** @type {Set<Shown>} */
    ticking: new Set(),
    /** @type {Element[]} what is to follow its tail once all is written */
    scrolls: [],
    /** @type {Set<Element>} whose width is to be looked at then */
    rows: new Set(),
    flush,
    /** What follows is no growth, but for what comes later. */
    measure() {
      const { el } = /** @type {Shown} */ (nodes.get(store.root));
      reach(el);
      ({ height } = el.getBoundingClientRect());
    },
    /** Draws now what a message brought, but for the first since the last frame only. */
    news: () => fresh || flush(),
    /** @param {Part} part */
    touch(part) {
      dirty.add(part);
      soon();
    },
    /** Takes a part that moves from its place, or all that follow it would move. @param {Part} part */
    lift(part) {
      const node = nodes.get(part);
      if (node) dropped.push(node);
    },
    /** @param {Part} part */
    drop(part) {
      const node = nodes.get(part);
      if (node) dropped.push(node) && view.ticking.delete(node);
      nodes.delete(part);
      dirty.delete(part);
      soon();
    },
    close() {
      rest();
      sized.disconnect();
      grew.disconnect();
      nodes.get(store.root)?.el.remove();
      space.remove();
      host.classList.remove("vibe-high");
      if (place && box && !store.live()) settle({ ...place, box, seen, ends });
    },
  };
  return view;
}

/** Reads one deflated stream: each call gives the operations of the next message of it. */
function createInflater() {
  const stream = new DecompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return async (/** @type {string} */ packed) => {
    // The end of the block was left out, since it is always the same.
    const bytes = Uint8Array.from(`${atob(packed)}\0\0\xff\xff`, (c) => c.charCodeAt(0));
    writer.write(bytes).catch(() => {}); // the reader has the error too
    while (!rest.includes("\n")) rest += (await reader.read()).value;
    const end = rest.indexOf("\n");
    const ops = JSON.parse(rest.slice(0, end));
    rest = rest.slice(end + 1);
    return ops;
  };
}

/** @returns {Grown} */
const grow = (text = "") => ({ list: text ? [text] : [], length: text.length });
/** @param {Grown} old @param {number} keep @param {string} text */
function splice(old, keep, text) {
  if (keep > old.length) throw new RangeError(`keep ${keep} of ${old.length}`);
  if (keep < old.length) return grow(old.list.join("").slice(0, keep) + text);
  if (text) old.list.push(text);
  old.length += text.length;
  return old;
}
/** The same object if the text only grew. @param {Grown} old @param {string} text */
function regrow(old, text) {
  const was = old.list.join("");
  return text.startsWith(was) ? splice(old, was.length, text.slice(was.length)) : grow(text);
}
/** @param {string | string[]} raw @returns {Item} */
const toItem = (raw) => (typeof raw === "string" ? raw : { html: raw[0], runs: raw[1], tail: grow(raw[2]) });
/** @param {Item} item @param {string | string[] | undefined} raw */
const isSame = (item, raw) => typeof item === "string" ? item === raw
  : !!raw && item.html === raw[0] && item.runs === raw[1] && item.tail.list.join("") === raw[2];
/** @param {Part} part @param {string} name */
const grown = (part, name) => part.fields.get(name) ?? NONE;
const NONE = Object.freeze(grow());

/** @param {number} key @param {string} kind @returns {Part} */
const create = (key, kind) => ({ key, kind, props: {}, fields: new Map(), blocks: [], open: "", tail: grow(), parts: [] });

/** One model's state, in step with the kernel's. @param {AnyModel} model */
function createStore(model) {
  const root = create(0, "root");
  let parts = new Map([[0, root]]);
  /** @type {Map<number, boolean>} what the user opened and closed */
  const chosen = new Map();
  /** @type {Set<View>} */
  const views = new Set();
  let [last, gap, gone, stopping] = [0, false, false, false];
  let [wait, asked, skew] = [2000, 0, 0]; // ms, questions without an answer, seconds
  let [timer, pulse] = [0, 0];
  /** @type {ReturnType<typeof createInflater> | undefined} */
  let inflate;
  let [read, reading] = [0, 0]; // the last message that was inflated, and how many wait for it
  let queue = Promise.resolve();
  const plain = typeof DecompressionStream === "undefined" || undefined;
  const live = () => root.props.state !== "ended";
  const touch = (/** @type {Part} */ part) => views.forEach((view) => view.touch(part));
  const find = (/** @type {number} */ key) => /** @type {Part} */ (parts.get(key));

  /** @param {Part} part @param {Part} up @param {number} index */
  function place(part, up, index) {
    for (let above = /** @type {Part | undefined} */ (up); above; above = above.up) {
      if (above === part) throw new RangeError("a part inside itself");
    }
    if (part.up) views.forEach((view) => view.lift(part));
    part.up?.parts.splice(part.up.parts.indexOf(part), 1);
    up.parts.splice(index, 0, part);
    part.up = up;
    touch(up);
  }

  /** @param {Part} part */
  function forget(part) {
    parts.delete(part.key);
    views.forEach((view) => view.drop(part));
    part.parts.forEach(forget);
  }

  /** @param {Record<string, any>} props */
  function head(props) {
    Object.assign(root.props, props);
    if (props.now) skew = props.now - Date.now() / 1000;
    touch(root);
  }

  /** @param {any} snapshot */
  function full(snapshot) {
    const before = parts;
    parts = new Map([[0, root]]);
    root.props = {};
    head(snapshot.head ?? {});
    /** @param {any[]} list @param {Part} up */
    const take = (list, up) => {
      up.parts = list.map((now) => {
        let part = before.get(now.key);
        if (!part || part.kind !== now.kind) part = create(now.key, now.kind);
        const { fields, blocks = [], open = "", tail = "" } = now;
        const was = part.fields;
        parts.set(part.key, Object.assign(part, { up, props: { ...now.props }, fields: new Map() }));
        for (const name in fields) part.fields.set(name, regrow(was.get(name) ?? grow(), fields[name]));
        if (part.blocks.some((item, i) => !isSame(item, blocks[i]))) part.blocks = [];
        part.blocks.push(...blocks.slice(part.blocks.length).map(toItem));
        part.tail = part.open === open ? regrow(part.tail, tail) : grow(tail);
        part.open = open;
        take(now.parts ?? [], part);
        touch(part);
        return part;
      });
    };
    take(snapshot.parts ?? [], root);
    before.forEach((part) => parts.get(part.key) !== part && views.forEach((view) => view.drop(part)));
  }

  /** @type {Record<string, (...args: any[]) => void>} */
  const OPS = {
    full,
    head,
    add(key, kind, up, index, props) {
      if (parts.has(key)) throw new RangeError("a part twice");
      const part = Object.assign(create(key, kind), { props });
      place(part, find(up), index);
      parts.set(key, part);
    },
    del(key) {
      const { up } = find(key);
      up?.parts.splice(up.parts.indexOf(find(key)), 1);
      forget(find(key));
    },
    move: (key, up, index) => place(find(key), find(up), index),
    set: (key, props) => Object.assign(find(key).props, props),
    txt(key, field, keep, text) {
      const { fields } = find(key);
      fields.set(field, splice(fields.get(field) ?? grow(), keep, text));
    },
    b: (key, ...items) => Object.assign(find(key), { open: "", tail: grow() }).blocks.push(...items.map(toItem)),
    o(key, text, end = 0, drop = 0) {
      const part = find(key);
      const at = part.open.length - end;
      if (at < drop) throw new RangeError(`drop ${drop} of ${at}`);
      Object.assign(part, { open: part.open.slice(0, at - drop) + text + part.open.slice(at), tail: grow() });
    },
    c(key, length = 0, runs = "") {
      const { open, tail, blocks } = find(key);
      if (length > open.length) throw new RangeError(`close ${length} of ${open.length}`);
      const html = length ? open.slice(0, length) : open;
      blocks.push(runs || tail.length ? { html, runs, tail } : html);
      Object.assign(find(key), { open: length ? open.slice(length) : "", tail: grow() });
    },
    a: (key, text) => splice(find(key).tail, find(key).tail.length, text),
    k(key, count) {
      const { blocks } = find(key);
      Object.assign(find(key), { blocks: blocks.slice(0, count), open: "", tail: grow() });
    },
  };

  /** @param {object} message */
  function send(message) {
    try {
      model.send(message);
    } catch (error) {
      console.warn(error);
      leave();
    }
  }

  function leave() {
    gone = true;
    arm();
    touch(root);
  }

  function arm() {
    clearTimeout(timer);
    timer = views.size && !gone && (gap || live()) ? setTimeout(ask, wait) : 0;
  }

  function ask() {
    // JupyterLab alone shows its kernel: one that is gone, or idle and yet silent, will never answer.
    const kernel = /** @type {any} */ (model.widget_manager)?.kernel;
    if (kernel === null || kernel?.status === "dead" || (asked++ > 3 && kernel?.status === "idle")) return leave();
    send({ type: "resync", n: last, plain });
    wait = Math.min(wait * 2, 5000);
    arm();
  }

  /** A message's operations; nothing if it goes on with a stream that was not read from its beginning.
   * @param {number} n @param {string} packed @param {number} begins */
  async function unpack(n, packed, begins) {
    try {
      if (plain || (!begins && read !== n - 1)) return;
      if (begins) inflate = createInflater();
      read = n;
      return await inflate?.(packed);
    } catch (error) {
      console.warn(error);
    }
  }

  /** Messages come packed, or plain where there is little in them. @param {any} message */
  function receive(message) {
    if (typeof message?.n === "number") {
      if (!reading) take(message.n, message.ops);
      else queue = queue.then(() => void take(message.n, message.ops));
    } else if (Array.isArray(message)) {
      const [n, packed, begins] = message;
      reading++;
      queue = queue.then(async () => {
        const ops = await unpack(n, packed, begins);
        reading--;
        take(n, ops);
      });
    }
  }

  /** @param {number} n @param {any[][] | undefined} ops */
  function take(n, ops) {
    const whole = (ops ?? []).map(([op]) => op).lastIndexOf("full");
    let fine = !!ops && (n === last + 1 || whole >= 0);
    if (gone) touch(root);
    [asked, gone] = [0, false];
    if (n <= last) return timer || arm();
    try {
      for (const [op, ...args] of (fine && ops?.slice(Math.max(whole, 0))) || []) {
        OPS[op](...args);
        const part = parts.get(args[0]);
        if (part) touch(part);
      }
    } catch (error) {
      console.warn(error);
      fine = false;
    }
    if (fine) {
      [last, gap, wait] = [n, false, 2000];
      arm();
      views.forEach((view) => view.news());
    } else if (!gap) {
      [gap, wait] = [true, 500];
      if (views.size) ask();
    }
  }

  const store = {
    root,
    chosen,
    live,
    gone: () => gone,
    stopping: () => stopping,

    /** @param {Part} part @param {boolean} open */
    toggle(part, open) {
      chosen.set(part.key, open);
      touch(part);
      send({ type: "toggle", key: part.key, open });
    },

    stop() {
      stopping = true;
      touch(root);
      send({ type: "stop" });
    },

    reconnect: () => send({ type: "reconnect" }),

    /** Writes how long it took or takes; gives the age while it runs. @param {any} props @param {HTMLElement} el */
    clock({ t0, t1 }, el) {
      if (gone && !t1) return;
      const age = (t1 || (live() ? Date.now() / 1000 + skew : NaN)) - t0;
      show(el, t0 && age === age && duration(age));
      return t0 && !t1 && live() ? age : undefined;
    },

    /** The one timer of all that runs: tenths of a second while they are shown. */
    beat() {
      clearTimeout(pulse);
      let youngest = Infinity;
      for (const view of views) for (const node of view.ticking) youngest = Math.min(youngest, node.tick() ?? Infinity);
      pulse = youngest < Infinity ? setTimeout(store.beat, youngest < 10 ? 100 : 1000) : 0;
    },

    /** @param {HTMLElement} host */
    mount(host) {
      dress(host);
      const view = createView(store, host);
      views.add(view);
      view.flush();
      send({ type: "hello", n: last, plain });
      wait = gap ? 1000 : 2000;
      arm();
      return () => {
        view.close();
        views.delete(view);
        if (!views.size) send({ type: "bye" });
        arm();
        store.beat();
      };
    },
    leave,
  };

  const snapshot = () => model.get("_snapshot") ?? {};
  full(snapshot());
  last = snapshot().n ?? 0;
  model.on("msg:custom", receive);
  model.on("change:_snapshot", () => receive({ n: snapshot().n, ops: [["full", snapshot()]] }));
  model.on("comm:close", leave);
  model.on("comm_live_update", leave);
  return store;
}

/**
 * A function, so that each model has its own store: hosts hand `initialize` and `render` different proxies
 * of one model, which therefore cannot be a key.
 * @type {AnyWidget}
 */
export default () => {
  /** @type {Store} */
  let store;
  return {
    initialize({ model }) {
      store = createStore(model);
      return store.leave;
    },
    render: ({ el }) => store.mount(el),
  };
};

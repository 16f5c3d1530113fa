/**
 * Hold the state of one model, apply the kernel's messages to it, and send the browser's messages.
 *
 * @import { AnyModel } from "@anywidget/types"
 * @import { Part, Whole } from "./values.js"
 * @import { View } from "./view.js"
 */
import { createInflater } from "./inflate.js";
import { addStylesheet } from "./layout.js";
import { emptyInterim, hideInterim, isStale, PATIENCE, RENDERED, save } from "./notebook.js";
import { createPart, isSameItem, newText, spliceText, toItem, updateText } from "./values.js";
import { createView } from "./view.js";

/** Milliseconds without a message until the store sends `resync`; doubled after each `resync`, up to LONGEST. */
const SILENCE = 2000;
const LONGEST = 5000;
/** Milliseconds of silence after a gap, and for a view that is mounted while there is a gap. */
const SILENCE_IN_GAP = 500;
const SILENCE_AT_MOUNT = 1000;
/** Unanswered `resync` messages after which an idle kernel counts as gone. */
const QUESTIONS = 4;
/** Seconds up to which a duration shows tenths, and so changes ten times a second. */
const TENTHS = 10;

/** @param {AnyModel} model */
export function createStore(model) {
  const root = createPart(0, "root");
  /** @type {Map<number, Part>} */
  let parts = new Map([[0, root]]);
  /** @type {Map<number, string>} heavy strings that several parts may name */
  let blobs = new Map();
  /** @type {Map<number, boolean>} what the user opened and closed */
  const chosen = new Map();
  /** @type {Set<Whole>} texts of which the kernel's next piece is awaited */
  const asking = new Set();
  /** @type {Set<View>} */
  const views = new Set();

  let last = 0; // number of the last applied message
  let gap = false; // the message after it is missing
  let gone = false; // the kernel is gone
  let stopping = false; // the user pressed Stop
  let skew = 0; // seconds by which the kernel's clock is ahead of the browser's

  let wait = SILENCE;
  let questions = 0; // unanswered `resync` messages
  let timer = 0; // timer of the next `resync`
  let pulse = 0; // timer of the durations
  let checking = 0; // timer of the check that the notebook has the last form
  /** Name of this page: the kernel keeps an ended view that a page shows. */
  const page = Math.random().toString(36).slice(2);

  /** @type {ReturnType<typeof createInflater> | undefined} */
  let inflate;
  let inflated = 0; // number of the last inflated message
  let inflating = 0; // messages that wait to be inflated
  let queue = Promise.resolve();
  const plain = typeof DecompressionStream === "undefined" || undefined;

  const live = () => root.props.state !== "ended";

  /** @param {(view: View) => void} act */
  const eachView = (act) => views.forEach(act);

  /** @param {Part} part */
  const touch = (part) => eachView((view) => view.touch(part));

  /** Find a part. An operation on a missing part throws, and the store requests the whole state. */
  const find = (/** @type {number} */ key) => /** @type {Part} */ (parts.get(key));

  /** @param {Part} part @param {Part} parent @param {number} index */
  function place(part, parent, index) {
    for (let above = /** @type {Part | undefined} */ (parent); above; above = above.parent) {
      if (above === part) throw new RangeError("a part inside itself");
    }
    if (part.parent) eachView((view) => view.lift(part));
    part.parent?.parts.splice(part.parent.parts.indexOf(part), 1);
    parent.parts.splice(index, 0, part);
    part.parent = parent;
    touch(parent);
  }

  /** @param {Part} part */
  function forget(part) {
    parts.delete(part.key);
    eachView((view) => view.drop(part));
    part.parts.forEach(forget);
  }

  /** @param {Part} part @param {number} count */
  function dropItems(part, count) {
    Object.assign(part, { blocks: part.blocks.slice(0, count), revised: [] });
  }

  /** @param {Record<string, any>} props */
  function setHead(props) {
    Object.assign(root.props, props);
    if (props.stoppable === false) stopping = false; // the next turn of a chat is another one
    if (props.now) skew = props.now - Date.now() / 1000;
    if ("saved" in props || "state" in props) checkNotebook();
    touch(root);
  }

  const isNotebookStale = () => isStale(model.widget_manager, root.props);

  /** Request the last form if the notebook lacks it; without a kernel save what the page shows. */
  function checkNotebook() {
    clearTimeout(checking);
    const [view] = views;
    const { mark, saved } = root.props;
    checking = view && mark && (saved || gone || !live()) ? setTimeout(() => check(view), PATIENCE) : 0;
    if (view && saved) for (const after of RENDERED) setTimeout(emptyInterim, after, mark);
  }

  /** @param {View} view */
  function check(view) {
    emptyInterim(root.props.mark);
    if (!gone) {
      if (isNotebookStale()) send({ type: "form" });
    } else if (live()) save(model.widget_manager, root.props, view.copy());
  }

  /**
   * Apply a whole state. Parts and texts that only grew stay the same objects, so that views keep their nodes.
   * @param {any} snapshot
   */
  function replaceAll(snapshot) {
    const before = parts;
    parts = new Map([[0, root]]);
    blobs = new Map(snapshot.blobs);
    for (const whole of asking) whole.asks = false; // the answer may be lost
    asking.clear();
    root.props = {};
    setHead(snapshot.head ?? {});

    /** @param {any} now @param {Part} parent */
    function update(now, parent) {
      let part = before.get(now.key);
      if (part?.kind !== now.kind) part = undefined;
      part ??= createPart(now.key, now.kind);
      const { fields, blocks = [], open = "", tail = "" } = now;
      const texts = part.fields;
      Object.assign(part, { parent, props: { ...now.props }, fields: new Map() });
      parts.set(part.key, part);
      for (const name in fields)
        part.fields.set(name, updateText(texts.get(name) ?? newText(), fields[name]));
      if (part.blocks.some((item, i) => !isSameItem(item, blocks[i]))) dropItems(part, 0);
      part.blocks.push(...blocks.slice(part.blocks.length).map(toItem));
      part.tail = part.open === open ? updateText(part.tail, tail) : newText(tail);
      part.open = open;
      updateParts(part, now.parts);
      touch(part);
      return part;
    }

    /** @param {Part} parent @param {any[]} [list] */
    function updateParts(parent, list = []) {
      parent.parts = list.map((now) => update(now, parent));
    }

    updateParts(root, snapshot.parts);
    for (const part of before.values()) {
      if (parts.get(part.key) !== part) eachView((view) => view.drop(part));
    }
  }

  /**
   * The operations, by their names in docs/wire.md.
   * @type {Record<string, (...args: any[]) => void>}
   */
  const OPERATIONS = {
    full: replaceAll,
    head: setHead,
    form(data) {
      if (isNotebookStale()) save(model.widget_manager, root.props, data);
    },
    add(key, kind, parent, index, props) {
      if (parts.has(key)) throw new RangeError("a part twice");
      const part = Object.assign(createPart(key, kind), { props });
      place(part, find(parent), index);
      parts.set(key, part);
    },
    del(key) {
      const { parent } = find(key);
      parent?.parts.splice(parent.parts.indexOf(find(key)), 1);
      forget(find(key));
    },
    move(key, parent, index) {
      place(find(key), find(parent), index);
    },
    set(key, props) {
      Object.assign(find(key).props, props);
    },
    txt(key, field, keep, text) {
      const { fields } = find(key);
      fields.set(field, spliceText(fields.get(field) ?? newText(), keep, text));
    },
    /** Add closed items, and drop the open block. */
    b(key, ...items) {
      const part = Object.assign(find(key), { open: "", tail: newText() });
      part.blocks.push(...items.map(toItem));
    },
    /** Change the open block. */
    o(key, text, end = 0, drop = 0) {
      const part = find(key);
      const at = part.open.length - end;
      if (at < drop) throw new RangeError(`drop ${drop} of ${at}`);
      const open = part.open.slice(0, at - drop) + text + part.open.slice(at);
      Object.assign(part, { open, tail: newText() });
    },
    /** Close the open block, or its beginning. */
    c(key, length = 0, colours = "") {
      const part = find(key);
      const { open, tail, blocks } = part;
      if (length > open.length) throw new RangeError(`close ${length} of ${open.length}`);
      const html = length ? open.slice(0, length) : open;
      blocks.push(colours || tail.length ? { html, colours, tail } : html);
      Object.assign(part, { open: length ? open.slice(length) : "", tail: newText() });
    },
    /** Append text to the open block's tail. */
    a(key, text) {
      const { tail } = find(key);
      spliceText(tail, tail.length, text);
    },
    /** Drop closed items, and the open block. */
    k(key, count) {
      const part = Object.assign(find(key), { open: "", tail: newText() });
      dropItems(part, count);
    },
    /** Replace a closed item. */
    r(key, index, html) {
      const { blocks, revised } = find(key);
      if (!(index < blocks.length)) throw new RangeError(`item ${index} of ${blocks.length}`);
      blocks[index] = html;
      revised.push(index);
    },
    /** Hold a heavy string, or forget it. */
    blob(number, text) {
      if (text === undefined) blobs.delete(number);
      else blobs.set(number, text);
    },
    /** Add a piece to a long text that a reader of this page, or of another one, has asked for. */
    more(key, field, start, end, size, text) {
      const part = find(key);
      const whole = part.wholes.get(field);
      if (!whole?.asks || whole.at !== start) return;
      Object.assign(whole, { text: spliceText(whole.text, whole.text.length, text), at: end, size });
      whole.asks = text && end < size;
      if (!whole.asks) asking.delete(whole);
      else requestAnimationFrame(() => askMore(part, field));
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

  /** Ask for the next piece of a long text. @param {Part} part @param {string} field */
  function askMore(part, field) {
    const whole = part.wholes.get(field);
    if (!whole?.asks || gone) return;
    send({ type: "more", key: part.key, field, from: whole.at });
    schedule();
  }

  /** Return a heavy string, with those that it names. @param {number} number @returns {string} */
  function blob(number) {
    return (blobs.get(number) ?? "").replace(/\0(\d+)\0/g, (_, inner) => blob(Number(inner)));
  }

  /** Record that the kernel is gone. */
  function leave() {
    gone = true;
    for (const part of parts.values()) if (part.wholes.size || part.props.ask) touch(part);
    checkNotebook();
    schedule();
    touch(root);
  }

  /** Schedule the next `resync`, if there is a view and the kernel may answer. */
  function schedule() {
    clearTimeout(timer);
    timer = views.size && !gone && (gap || live() || asking.size) ? setTimeout(ask, wait) : 0;
  }

  function ask() {
    // Only JupyterLab exposes its kernel. A kernel that is gone, or idle and still silent, never answers.
    const kernel = /** @type {any} */ (model.widget_manager)?.kernel;
    const isGone = kernel === null || kernel?.status === "dead";
    if (isGone || (questions++ >= QUESTIONS && kernel?.status === "idle")) {
      leave();
      return;
    }
    send({ type: "resync", n: last, plain });
    wait = Math.min(wait * 2, LONGEST);
    schedule();
  }

  /**
   * Inflate a message's operations.
   * @param {number} n
   * @param {string} packed
   * @param {number} begins not 0 if the message begins a stream
   * @returns the operations; nothing if the browser missed the start of the stream, or if the stream is broken
   */
  async function unpack(n, packed, begins) {
    try {
      if (plain || (!begins && inflated !== n - 1)) return;
      if (begins) inflate = createInflater();
      inflated = n;
      return await inflate?.(packed);
    } catch (error) {
      console.warn(error);
    }
  }

  /** Receive a message, packed or plain. Messages are applied in the order of their arrival. @param {any} message */
  function receive(message) {
    if (typeof message?.n === "number") {
      if (!inflating) apply(message.n, message.ops);
      else queue = queue.then(() => apply(message.n, message.ops));
    } else if (Array.isArray(message)) {
      const [n, packed, begins] = message;
      inflating++;
      queue = queue.then(async () => {
        const operations = await unpack(n, packed, begins);
        inflating--;
        apply(n, operations);
      });
    }
  }

  /** @param {number} n @param {any[][] | undefined} operations */
  function apply(n, operations) {
    const whole = (operations ?? []).map(([name]) => name).lastIndexOf("full");
    let isApplied = !!operations && (n === last + 1 || whole >= 0);
    if (gone) touch(root);
    questions = 0;
    gone = false;
    if (n <= last) {
      if (!timer) schedule();
      return;
    }
    try {
      // A whole state replaces the operations before it.
      if (isApplied) for (const operation of operations?.slice(Math.max(whole, 0)) ?? []) run(operation);
    } catch (error) {
      console.warn(error);
      isApplied = false;
    }
    if (isApplied) {
      last = n;
      gap = false;
      wait = SILENCE;
      schedule();
      eachView((view) => view.drawNews());
    } else if (!gap) {
      gap = true;
      wait = SILENCE_IN_GAP;
      if (views.size) ask();
    }
  }

  /** @param {any[]} operation */
  function run([name, ...args]) {
    OPERATIONS[name](...args);
    const part = name === "blob" ? undefined : parts.get(args[0]);
    if (part) touch(part);
  }

  const store = {
    root,
    chosen,
    live,
    leave,
    gone: () => gone,
    stopping: () => stopping,

    /** Return the kernel's time in seconds; NaN after the end, when no duration grows. */
    kernelTime: () => (live() ? Date.now() / 1000 + skew : NaN),

    /** @param {Part} part @param {boolean} open */
    toggle(part, open) {
      chosen.set(part.key, open);
      touch(part);
      send({ type: "toggle", key: part.key, open });
    },

    blob,

    /** Show all of a long text. @param {Part} part @param {string} field */
    showAll(part, field) {
      const whole = part.wholes.get(field) ?? { text: newText(), at: 0, size: 0, asks: true };
      whole.asks = true;
      asking.add(whole);
      part.wholes.set(field, whole);
      touch(part);
      askMore(part, field);
    },

    stop() {
      stopping = true;
      touch(root);
      send({ type: "stop" });
    },

    /** @type {import("./ask.js").Send} */
    answer(id, action, value, reason) {
      send({ type: "answer", request_id: id, action, value, reason });
    },
    reconnect() {
      send({ type: "reconnect" });
    },
    say: send,

    /** Write all growing durations, and schedule the next writing: one timer for all of them. */
    beat() {
      clearTimeout(pulse);
      let youngest = Infinity;
      for (const view of views) {
        for (const node of view.ticking) youngest = Math.min(youngest, node.tick() ?? Infinity);
      }
      pulse = youngest < Infinity ? setTimeout(store.beat, youngest < TENTHS ? 100 : 1000) : 0;
    },

    /**
     * Show the model in the host's element.
     * @param {HTMLElement} host
     * @returns a function that removes the view
     */
    mount(host) {
      addStylesheet(host);
      const view = createView(store, host);
      views.add(view);
      view.flush();
      const showInterim = hideInterim(root.props.mark);
      send({ type: "hello", n: last, plain, page });
      checkNotebook();
      wait = gap ? SILENCE_AT_MOUNT : SILENCE;
      schedule();
      return () => {
        view.close();
        views.delete(view);
        showInterim();
        checkNotebook();
        if (!views.size) send({ type: "bye", page });
        schedule();
        store.beat();
      };
    },
  };

  const snapshot = () => model.get("_snapshot") ?? {};
  replaceAll(snapshot());
  last = snapshot().n ?? 0;
  model.on("msg:custom", receive);
  model.on("change:_snapshot", () => receive({ n: snapshot().n, ops: [["full", snapshot()]] }));
  model.on("comm:close", leave);
  model.on("comm_live_update", leave);
  return store;
}

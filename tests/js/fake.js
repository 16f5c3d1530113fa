/** Doubles for the front end's tests: a page without layout, a clock by hand, a model. */
import { JSDOM } from "jsdom";
import widget from "../../vibe_notebook/display/static/widget.js";

/** Clock whose time passes only in `pass`; a frame comes every 16 ms unless the tab is hidden. */
export class Clock {
  now = 1_000_000_000_000;
  hidden = false;
  #last = 0;
  #due = new Map();

  constructor() {
    globalThis.setTimeout = (run, ms = 0) => this.#add(run, ms, "timer");
    globalThis.requestAnimationFrame = (run) => this.#add(run, 16, "frame");
    globalThis.clearTimeout = globalThis.cancelAnimationFrame = (id) => void this.#due.delete(id);
    Date.now = () => this.now;
  }

  #add(run, ms, kind) {
    this.#due.set(++this.#last, { run, at: this.now + ms, kind });
    return this.#last;
  }

  get pending() {
    return this.#due.size;
  }

  pass(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#due].filter(([, d]) => d.at <= end && !(this.hidden && d.kind === "frame"));
      if (!due.length) break;
      const [id, { run, at }] = due.reduce((a, b) => (b[1].at < a[1].at ? b : a));
      this.#due.delete(id);
      this.now = Math.max(this.now, at);
      run();
    }
    this.now = end;
  }
}

/** Observer for a page without layout, which has no sizes: a test reports each change. */
export class Sized {
  static all = new Set();

  constructor(run) {
    this.run = run;
    Sized.all.add(this);
  }

  /** After the layout of a frame. */
  static run() {
    for (const { run } of Sized.all) run();
  }

  observe() {}

  disconnect() {
    Sized.all.delete(this);
  }
}

const { window } = new JSDOM("<!doctype html><body></body>");

/** Make an empty page with its clock, in the globals of a browser. */
export function page() {
  const { document, innerHeight } = window;
  Object.assign(globalThis, { document, innerHeight });
  globalThis.getComputedStyle = (el) => window.getComputedStyle(el);
  globalThis.getSelection = () => window.getSelection();
  globalThis.ResizeObserver = Sized;
  document.body.replaceChildren();
  document.head.replaceChildren();
  return new Clock();
}

/** Act as ipywidgets towards the widget; each call of `proxy` returns another object, as with anywidget. */
export class Model {
  sent = [];
  answer = () => {};
  widget_manager = {};
  #handlers = {};

  constructor(snapshot = {}) {
    this.snapshot = snapshot;
  }

  proxy() {
    const model = this;
    return {
      get: (name) => (name === "_snapshot" ? this.snapshot : undefined),
      on: (name, run) => {
        this.#handlers[name] ??= [];
        this.#handlers[name].push(run);
      },
      send: (message) => {
        this.sent.push(message);
        this.answer(message);
      },
      get widget_manager() {
        return model.widget_manager;
      },
    };
  }

  fire(name, ...args) {
    for (const run of this.#handlers[name] ?? []) run(...args);
  }

  /** Deliver a message through JSON, so that no object is shared. */
  receive(message) {
    this.fire("msg:custom", JSON.parse(JSON.stringify(message)), []);
  }

  sentOf(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

/** Make a widget on the page. `view()` mounts a further view, and returns its element and a function to unmount it. */
export function mount(snapshot) {
  const model = new Model(snapshot);
  const def = widget();
  const destroy = def.initialize({ model: model.proxy() });
  let n = snapshot?.n ?? 0;
  return {
    model,
    destroy,
    view(up = document.body) {
      const el = up.appendChild(document.createElement("div"));
      return { el, unmount: def.render({ model: model.proxy(), el }), $: (css) => el.querySelector(css) };
    },
    /** Send the next numbered message with these operations. */
    ops: (...ops) => model.receive({ n: ++n, ops }),
  };
}

/** Make a widget on a new page, with one view; `frame` sends it operations and lets it draw them. */
export function shown(snapshot) {
  const clock = page();
  const widget = mount(snapshot);
  const { el, $, unmount } = widget.view();
  const frame = (...ops) => {
    widget.ops(...ops);
    clock.pass(16);
  };
  const texts = (css) => [...el.querySelectorAll(css)].map((e) => e.textContent);
  return { clock, ...widget, el, $, unmount, frame, texts };
}

/** Return an element's HTML without the groups of its parts and closed blocks. */
export function inside(el) {
  const copy = el.cloneNode(true);
  for (const group of copy.querySelectorAll("div:not([class])")) group.replaceWith(...group.childNodes);
  return copy.innerHTML;
}

/** The operation that adds a running tool call at the top. */
export const tool = (props, key = "t") => [
  "add",
  key,
  "tool",
  0,
  0,
  { name: "search", state: "running", ...props },
];

export const HOSTILE = [
  "<img src=x onerror=alert(1)>",
  "</details></pre><script>alert(1)</script>",
  "\u202egnp.exe\u0007\u001b[31m",
  "javascript:alert(1)",
  '"><svg onload=alert(1)>',
  "&lt;b&gt; 🐈 \u0000 é",
];

/** Doubles for the front end's tests: a page without layout, a clock by hand, a model, a kernel. */
import { JSDOM } from "jsdom";
import widget from "../../vibe_notebook/display/static/widget.js";

/** Time passes only in `pass`; frames come every 16 ms unless the tab is hidden. */
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

const { window } = new JSDOM("<!doctype html><body></body>");

/** An empty page with its clock, in the globals that a browser has. */
export function page() {
  const { document, innerHeight } = window;
  Object.assign(globalThis, { document, innerHeight });
  globalThis.getComputedStyle = (el) => window.getComputedStyle(el);
  globalThis.getSelection = () => window.getSelection();
  document.body.replaceChildren();
  return new Clock();
}

/** What the widget sees of ipywidgets; each call of `proxy` is another object, as anywidget's are. */
export class Model {
  sent = [];
  answer = () => {};
  widget_manager = {};
  #handlers = {};

  constructor(snapshot = {}) {
    this.snapshot = snapshot;
  }

  proxy() {
    return {
      get: (name) => (name === "_snapshot" ? this.snapshot : undefined),
      on: (name, run) => (this.#handlers[name] ??= []).push(run),
      send: (message) => {
        this.sent.push(message);
        this.answer(message);
      },
      widget_manager: this.widget_manager,
    };
  }

  fire(name, ...args) {
    for (const run of this.#handlers[name] ?? []) run(...args);
  }

  /** A message as it arrives: through JSON, so that nothing is shared. */
  receive(message) {
    this.fire("msg:custom", JSON.parse(JSON.stringify(message)), []);
  }

  sentOf(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

/** A widget on the page. `view()` mounts one more view and gives its element and how to unmount it. */
export function mount(snapshot) {
  const model = new Model(snapshot);
  const def = widget();
  const destroy = def.initialize({ model: model.proxy() });
  let n = snapshot?.n ?? 0;
  return {
    model,
    destroy,
    view() {
      const el = document.body.appendChild(document.createElement("div"));
      return { el, unmount: def.render({ model: model.proxy(), el }), $: (css) => el.querySelector(css) };
    },
    /** The next numbered message with these operations. */
    ops: (...ops) => model.receive({ n: ++n, ops }),
  };
}

/** A widget on a new page, with one view; `frame` gives it operations and lets it write them. */
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

/** The operation that adds a running tool call at the top. */
export const tool = (props, key = "t") => ["add", key, "tool", "", 0, { name: "search", state: "running", ...props }];

/** The same random numbers each time (mulberry32). */
export function random(seed) {
  let a = seed;
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    next,
    below: (n) => Math.floor(next() * n),
    pick: (list) => list[Math.floor(next() * list.length)],
  };
}

export const HOSTILE = [
  "<img src=x onerror=alert(1)>",
  "</details></pre><script>alert(1)</script>",
  "\u202egnp.exe\u0007\u001b[31m",
  "javascript:alert(1)",
  '"><svg onload=alert(1)>',
  "&lt;b&gt; 🐈 \u0000 é",
];

const BLOCKS = ["<p>one</p>\n", "<ul>\n<li>a <em>b</em></li>\n</ul>\n", "<pre><code>c</code></pre>\n", "<hr>\n"];
const OPS = "add add del move set txt txt blk opn opn app app rst head full".split(" ");
const STATES = "preparing running awaiting_approval ok error denied cancelled unfinished".split(" ");
const EMPTY = () => ({ fields: {}, blocks: [], open: "", tail: "", parts: [] });

/** The kernel's half in the plainest form: whole strings, whole lists, and the operations that lead there. */
export class Kernel {
  n = 0;
  head = { title: "run", state: "live", stoppable: true };
  top = { key: "", kind: "root", parts: [] };
  parts = new Map([["", this.top]]);
  #made = 0;

  constructor(clock, rnd) {
    Object.assign(this, { clock, rnd });
  }

  snapshot() {
    const head = { ...this.head, now: this.clock.now / 1000 };
    return JSON.parse(JSON.stringify({ n: this.n, head, parts: this.top.parts }));
  }

  message(...ops) {
    return { n: ++this.n, ops };
  }

  /** One random operation, applied here and given for the wire. */
  step() {
    const { rnd } = this;
    const text = () => rnd.pick(["a ", "word ", "\n", "x".repeat(30), ...HOSTILE]);
    const html = () => rnd.pick(BLOCKS);
    const all = [...this.parts.values()].slice(1);
    const of = (...kinds) => rnd.pick(all.filter((part) => kinds.includes(part.kind)));
    const where = (except) => {
      const homes = [this.top, ...all.filter((p) => ["tool", "run"].includes(p.kind))];
      const free = homes.filter((home) => !except || !this.#below(except, home));
      const up = rnd.pick(free);
      return { up, index: rnd.below(up.parts.filter((p) => p !== except).length + 1) };
    };
    const words = of("text");
    const any = rnd.pick(all);
    switch (rnd.pick(OPS)) {
      case "del":
        if (!any || rnd.next() < 0.5) return this.#add(where());
        this.#remove(any);
        this.#forget(any);
        return ["del", any.key];
      case "move": {
        if (!any) return this.#add(where());
        const { up, index } = where(any);
        this.#remove(any);
        up.parts.splice(index, 0, any);
        any.up = up.key;
        return ["move", any.key, up.key, index];
      }
      case "set": {
        if (!any) return this.#add(where());
        const props = this.#props(any.kind);
        Object.assign(any.props, props);
        return ["set", any.key, props];
      }
      case "txt": {
        const part = of("thinking", "tool");
        if (!part) return this.#add(where());
        const field = part.kind === "tool" ? rnd.pick(["args", "output"]) : "text";
        const old = part.fields[field] ?? "";
        const keep = rnd.next() < 0.8 ? old.length : rnd.below(old.length + 1);
        const more = text();
        part.fields[field] = old.slice(0, keep) + more;
        return ["txt", part.key, field, keep, more];
      }
      case "blk": {
        if (!words) return this.#add(where());
        const blocks = Array.from({ length: 1 + rnd.below(3) }, html);
        words.blocks.push(...blocks);
        words.open = words.tail = "";
        return ["blk", words.key, blocks];
      }
      case "opn": {
        if (!words) return this.#add(where());
        const keep = rnd.next() < 0.2 ? words.open.length : 0;
        const more = html();
        words.open = words.open.slice(0, keep) + more;
        words.tail = "";
        return ["opn", words.key, keep, more];
      }
      case "app": {
        if (!words) return this.#add(where());
        const more = text();
        words.tail += more;
        return ["app", words.key, more];
      }
      case "rst":
        if (!words) return this.#add(where());
        Object.assign(words, { blocks: [], open: "", tail: "" });
        return ["rst", words.key];
      case "head": {
        const usage = rnd.pick([null, "3 in", { input_tokens: 1234, model: text() }]);
        const props = { title: text(), note: text(), usage };
        Object.assign(this.head, props);
        return ["head", { ...props, now: this.clock.now / 1000 }];
      }
      case "full":
        return ["full", this.snapshot()];
      default:
        return this.#add(where());
    }
  }

  #below(part, home) {
    return part === home || part.parts.some((kid) => this.#below(kid, home));
  }

  #remove(part) {
    const up = this.parts.get(part.up);
    up.parts.splice(up.parts.indexOf(part), 1);
  }

  #forget(part) {
    this.parts.delete(part.key);
    for (const kid of part.parts) this.#forget(kid);
  }

  #props(kind) {
    const { rnd } = this;
    const text = () => rnd.pick(["name", "", ...HOSTILE]);
    const t0 = this.clock.now / 1000 - rnd.below(5);
    switch (kind) {
      case "thinking":
        return { done: rnd.next() < 0.5 };
      case "tool":
        return {
          name: text(), preview: text(), error: text(), message: text(), state: rnd.pick(STATES),
          t0: rnd.pick([null, t0]), t1: rnd.pick([null, t0 + 3]),
          progress: rnd.pick([null, 1, 2.5]), total: rnd.pick([null, 0, 4]), open: rnd.next() < 0.5,
        };
      case "artifact":
        return {
          name: text(), media_type: text(), action: text(), size: rnd.pick([null, 12, 34567]),
          url: rnd.pick([null, "https://example.org/", ...HOSTILE]),
          src: rnd.pick([null, "data:image/png;base64,AA==", ...HOSTILE]),
        };
      case "run":
        return { name: text(), state: rnd.pick(["running", "ok", "error"]) };
      default:
        return {};
    }
  }

  #add({ up, index }) {
    const kind = this.rnd.pick(["text", "text", "thinking", "tool", "tool", "artifact", "run"]);
    const key = this.rnd.pick([`k${++this.#made}`, `__proto__${this.#made}`, `"]<b>${this.#made}`]);
    const part = { key, kind, up: up.key, props: this.#props(kind), ...EMPTY() };
    this.parts.set(key, part);
    up.parts.splice(index, 0, part);
    return ["add", key, kind, up.key, index, { ...part.props }];
  }
}

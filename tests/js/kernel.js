/** The kernel's half in the plainest form, driven at random: what the front end is compared with. */
import { HOSTILE } from "./fake.js";

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

const BLOCKS = ["<p>one</p>\n", "<ul>\n<li>a <em>b</em></li>\n</ul>\n", "<pre><code>c</code></pre>\n", "<hr>\n"];
const OPS = "add add del move set txt txt blk opn opn app app rst head full".split(" ");
const STATES = "preparing running awaiting_approval ok error denied cancelled unfinished".split(" ");
const EMPTY = () => ({ fields: {}, blocks: [], open: "", tail: "", parts: [] });

/** Whole strings, whole lists, and the operations that lead there. */
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

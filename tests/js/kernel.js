/** Model the kernel's half in the plainest form, at random: tests compare the front end with it. */
import { HOSTILE } from "./fake.js";

/** Return the same random numbers each time (mulberry32). */
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

const LEAVE = "\0";
const BLOCKS = [
  "<p>one</p>\n",
  "<p>one <b>two</b> three</p>\n",
  "<ul>\n<li>a <em>b</em></li>\n</ul>\n",
  '<p>see <a href="https://example.org">this</a></p>\n',
  "<hr>\n",
];
const ITEMS = [
  "<li>one</li>\n",
  "<li>\n<p>two</p>\n</li>\n",
  '<li class="task-list-item">three <code>x</code></li>\n',
];
const CODE = '<div class="highlight"><pre><code class="language-py"></code></pre></div>\n';
const SKELETONS = [`${LEAVE}<ul>\n</ul>\n`, `${LEAVE}<ol start="3">\n</ol>\n`];
const OPS = "add add del move set txt txt b o o o a a c c enter leave k r r blob blob head full".split(" ");
const STATES = "preparing running awaiting_approval ok error denied cancelled unfinished".split(" ");
const EMPTY = () => ({ fields: {}, blocks: [], open: "", tail: "", parts: [] });

/** Return true if a container is open. */
const inside = ({ blocks }) => String(blocks.findLast((item) => item[0] === LEAVE) ?? LEAVE) !== LEAVE;

/** Hold whole strings and whole lists, and make the operations that lead to them. */
export class Kernel {
  n = 0;
  head = { title: "run", state: "live", stoppable: true };
  top = { key: 0, kind: "root", parts: [] };
  parts = new Map([[0, this.top]]);
  blobs = [];
  #made = 0;

  constructor(clock, rnd) {
    Object.assign(this, { clock, rnd });
  }

  snapshot() {
    const head = { ...this.head, now: this.clock.now / 1000 };
    return JSON.parse(JSON.stringify({ n: this.n, head, blobs: this.blobs, parts: this.top.parts }));
  }

  message(...ops) {
    return { n: ++this.n, ops };
  }

  /** Apply one random operation, and return it for the wire. */
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
      case "b": {
        if (!words) return this.#add(where());
        const blocks = Array.from({ length: 1 + rnd.below(3) }, inside(words) ? () => rnd.pick(ITEMS) : html);
        if (!inside(words) && rnd.next() < 0.3) blocks.push([CODE, "kCBs1B", "def x😀\n"]);
        return this.#close(words, ["b", words.key, ...blocks], ...blocks);
      }
      case "enter":
      case "leave": {
        if (!words) return this.#add(where());
        const item = inside(words) ? LEAVE : rnd.pick(SKELETONS);
        return this.#close(words, ["b", words.key, item], item);
      }
      case "c": {
        if (!words?.open || words.open.includes(LEAVE)) return this.#add(where());
        const { open, tail } = words;
        const runs = rnd.pick(["", "", "kCBs1B"]);
        words.blocks.push(runs || tail ? [open, runs, tail] : open);
        words.open = words.tail = "";
        return ["c", words.key, 0, runs].slice(0, runs ? 4 : 2);
      }
      case "o": {
        if (!words) return this.#add(where());
        const old = words.open;
        const now = inside(words)
          ? rnd.pick(ITEMS) + rnd.pick(["", "", LEAVE + html()])
          : rnd.pick([html(), CODE]);
        // What both begin and end with stays.
        let [start, end] = [0, 0];
        while (start < Math.min(old.length, now.length) && old[start] === now[start]) start++;
        const most = Math.min(old.length, now.length) - start;
        while (end < most && old.at(-1 - end) === now.at(-1 - end)) end++;
        Object.assign(words, { open: now, tail: "" });
        return ["o", words.key, now.slice(start, now.length - end), end, old.length - start - end];
      }
      case "a": {
        if (!words?.open) return this.#add(where());
        const more = text();
        words.tail += more;
        return ["a", words.key, more];
      }
      case "k": {
        if (!words) return this.#add(where());
        const whole = [0, ...words.blocks.flatMap((item, i) => (item === LEAVE ? [i + 1] : []))];
        const count = rnd.pick(whole.filter((n) => !inside({ blocks: words.blocks.slice(0, n) })));
        Object.assign(words, { blocks: words.blocks.slice(0, count), open: "", tail: "" });
        return ["k", words.key, count];
      }
      case "r": {
        const at = rnd.below(words?.blocks.length || 1);
        const old = words?.blocks[at];
        if (typeof old !== "string" || old.includes(LEAVE)) return this.#add(where());
        words.blocks[at] = inside({ blocks: words.blocks.slice(0, at) }) ? rnd.pick(ITEMS) : html();
        return ["r", words.key, at, words.blocks[at]];
      }
      case "blob": {
        const number = this.blobs.length + 1;
        const inner = number > 1 ? `<b>\0${1 + rnd.below(number - 1)}\0</b>` : "";
        this.blobs.push([number, number % 2 ? "data:image/png;base64,AA==" : `${html()}${inner}`]);
        return ["blob", ...this.blobs.at(-1)];
      }
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

  #close(words, op, ...items) {
    words.blocks.push(...items);
    words.open = words.tail = "";
    return op;
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
    const blob = () => rnd.pick([null, ...this.blobs.map(([number]) => number)]);
    const t0 = this.clock.now / 1000 - rnd.below(5);
    switch (kind) {
      case "thinking":
        return { done: rnd.next() < 0.5 };
      case "tool":
        return {
          name: text(),
          preview: text(),
          error: text(),
          message: text(),
          state: rnd.pick(STATES),
          t0: rnd.pick([null, t0]),
          t1: rnd.pick([null, t0 + 3]),
          progress: rnd.pick([null, 1, 2.5]),
          total: rnd.pick([null, 0, 4]),
          open: rnd.next() < 0.5,
          rich_args: blob(),
          rich_output: blob(),
          whole_output: rnd.pick([null, 123456]),
        };
      case "artifact":
        return {
          name: text(),
          media_type: text(),
          action: text(),
          size: rnd.pick([null, 12, 34567]),
          url: rnd.pick([null, "https://example.org/", ...HOSTILE]),
          src: blob(),
          rich: blob(),
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

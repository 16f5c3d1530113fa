import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { constants, deflateRawSync } from "node:zlib";
import { inside, mount, page } from "./fake.js";
import { Kernel, random } from "./kernel.js";

/** Return the HTML of a view of the kernel's whole state. */
function fresh(kernel) {
  const { el, unmount } = mount(kernel.snapshot()).view();
  const html = inside(el);
  unmount();
  return html;
}

test("any operations, applied one by one, end in the view that the snapshot gives", () => {
  for (let seed = 1; seed <= 250; seed++) {
    const clock = page();
    const rnd = random(seed);
    const kernel = new Kernel(clock, rnd);
    const { model, view } = mount();
    const first = view();
    let late;
    for (let i = 0; i < 60; i++) {
      const ops = Array.from({ length: 1 + rnd.below(4) }, () => kernel.step());
      model.receive(kernel.message(...ops));
      if (rnd.next() < 0.4) clock.pass(20);
      if (i === 30) late = view();
    }
    clock.pass(40); // so that the last message is drawn at once
    model.receive(kernel.message(["head", { now: clock.now / 1000 }]));
    const expected = fresh(kernel);
    assert.equal(inside(first.el), expected, `seed ${seed}`);
    assert.equal(inside(late.el), expected, `late view, seed ${seed}`);
    assert.equal(model.sentOf("resync").length, 0, `seed ${seed}`);
  }
});

for (const loss of [0.01, 0.1, 0.5]) {
  test(`a stream of which ${loss * 100} % of the messages are dropped ends complete`, () => {
    for (let seed = 1; seed <= 40; seed++) {
      const clock = page();
      const rnd = random(seed);
      const kernel = new Kernel(clock, rnd);
      const { model, view } = mount();
      const deliver = (message) => rnd.next() >= loss && model.receive(message);
      model.answer = ({ type, n }) => {
        if (type !== "hello" && type !== "resync") return;
        deliver(
          n < kernel.n ? { n: kernel.n, ops: [["full", kernel.snapshot()]] } : { n: kernel.n, ops: [] },
        );
      };
      const { el } = view();
      for (let i = 0; i < 80; i++) {
        deliver(kernel.message(kernel.step()));
        clock.pass(33);
      }
      kernel.head = { ...kernel.head, state: "ended", outcome: "success" };
      for (const part of kernel.parts.values()) if (part.kind === "tool") part.props.t1 ||= clock.now / 1000;
      deliver(kernel.message(["full", kernel.snapshot()]));
      clock.pass(120_000);
      assert.equal(inside(el), fresh(kernel), `seed ${seed}`);
      assert.equal(clock.pending, 0);
    }
  });
}

/** Pack as the kernel does: one deflate stream; `begin` and a whole state start a new stream. */
function packer() {
  let begins = 1;
  return {
    begin: () => (begins = 1),
    pack({ n, ops }) {
      if (!ops.length) return { n, ops };
      const mark = ops[0][0] === "full" ? 2 : begins;
      begins = 0;
      const data = deflateRawSync(`${JSON.stringify(ops)}\n`, { finishFlush: constants.Z_SYNC_FLUSH });
      return [n, data.subarray(0, -4).toString("base64"), ...(mark ? [mark] : [])];
    },
  };
}

/** Node inflates on another thread. */
const turn = () => sleep(1);

for (const loss of [0, 0.01, 0.1, 0.5]) {
  test(`a packed stream of which ${loss * 100} % of the messages are dropped ends complete, in two views`, async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const clock = page();
      const rnd = random(seed);
      const kernel = new Kernel(clock, rnd);
      const { pack, begin } = packer();
      const pages = [mount(), mount()];
      const deliver = (message) => {
        const packed = pack(message);
        for (const { model } of pages) if (rnd.next() >= loss) model.receive(packed);
      };
      for (const { model } of pages) {
        model.answer = ({ type, n }) => {
          if (type !== "hello" && type !== "resync") return;
          begin();
          deliver(
            n < kernel.n ? { n: kernel.n, ops: [["full", kernel.snapshot()]] } : { n: kernel.n, ops: [] },
          );
        };
      }
      const els = [pages[0].view().el];
      for (let i = 0; i < 40; i++) {
        deliver(kernel.message(kernel.step()));
        if (i === 20) els.push(pages[1].view().el);
        if (rnd.next() < 0.7) await turn();
        clock.pass(33);
      }
      kernel.head = { ...kernel.head, state: "ended", outcome: "success" };
      for (const part of kernel.parts.values()) if (part.kind === "tool") part.props.t1 ||= clock.now / 1000;
      deliver(kernel.message(["full", kernel.snapshot()]));
      const expected = fresh(kernel);
      for (let i = 0; i < 200 && els.some((el) => inside(el) !== expected); i++) {
        await turn();
        clock.pass(500);
      }
      for (const el of els) assert.equal(inside(el), expected, `seed ${seed}`);
      if (!loss)
        assert.equal(pages[0].model.sentOf("resync").filter(({ n }) => n === 0).length, 0, `seed ${seed}`);
    }
  });
}

test("a browser that cannot unpack asks for plain messages, and shows them", async (t) => {
  const unpacks = globalThis.DecompressionStream;
  delete globalThis.DecompressionStream;
  t.after(() => (globalThis.DecompressionStream = unpacks));
  const clock = page();
  const { model, view } = mount();
  const { $ } = view();
  model.receive(packer().pack({ n: 1, ops: [["head", { title: "packed" }]] }));
  await turn();
  assert.deepEqual(model.sentOf("resync"), [{ type: "resync", n: 0, plain: true }]);
  model.receive({ n: 1, ops: [["full", { n: 1, head: { title: "plain" }, parts: [] }]] });
  clock.pass(20);
  assert.equal($(".vibe-title").textContent, "plain");
});

test("a duplicate or late message changes nothing", () => {
  const clock = page();
  const { model, view } = mount();
  const { $ } = view();
  const add = {
    n: 1,
    ops: [
      ["add", "t", "text", 0, 0, {}],
      ["o", "t", "<p>a</p>"],
    ],
  };
  const app = { n: 2, ops: [["a", "t", "b"]] };
  for (const message of [add, app, app, add, app]) model.receive(message);
  clock.pass(20);
  assert.equal($(".vibe-text").textContent, "ab");
  assert.deepEqual(model.sentOf("resync"), []);
});

test("a gap sends one resync at once, then after 1, 2, 4, 5 and 5 seconds, until an answer arrives", () => {
  const clock = page();
  const { model, view } = mount();
  view();
  const asked = [];
  model.answer = ({ type, n }) => type === "resync" && asked.push([clock.now - start, n]);
  const start = clock.now;
  model.receive({ n: 3, ops: [] });
  model.receive({ n: 4, ops: [] });
  clock.pass(17_000);
  assert.deepEqual(asked, [
    [0, 0],
    [1000, 0],
    [3000, 0],
    [7000, 0],
    [12_000, 0],
    [17_000, 0],
  ]);
  model.receive({ n: 5, ops: [["full", { n: 5, head: { state: "ended" }, parts: [] }]] });
  clock.pass(60_000);
  assert.equal(asked.length, 6);
});

test("a silent live stream sends a resync after 2 seconds, then more seldom, and news restarts the wait", () => {
  const clock = page();
  const { model, view, ops } = mount();
  view();
  const asked = [];
  model.answer = ({ type }) => type === "resync" && asked.push(clock.now - start);
  const start = clock.now;
  clock.pass(16_000);
  assert.deepEqual(asked, [2000, 6000, 11_000, 16_000]);
  ops(["head", { state: "live" }]);
  clock.pass(2000);
  assert.equal(asked.at(-1), 18_000);
});

test("an empty answer with the current number means that no message is missing", () => {
  const clock = page();
  const { model, view, ops } = mount();
  const { el } = view();
  ops(["head", { title: "here" }]);
  clock.pass(2000);
  const before = inside(el);
  model.receive({ n: 1, ops: [] });
  clock.pass(100);
  assert.equal(inside(el), before);
  ops(["head", { title: "there" }]);
  clock.pass(100);
  assert.match(el.textContent, /there/);
});

test("an operation that does not fit is repaired by a resync", (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  for (const op of [
    ["set", "nobody", {}],
    ["txt", "t", "args", 7, "x"],
    ["add", "t", "tool", 0, 0, {}],
    ["move", "t", "t", 0],
    ["add", "u", "text", "nobody", 0, {}],
    ["del", "nobody"],
    ["what", "t"],
  ]) {
    const clock = page();
    const { model, view, ops } = mount({ n: 0, head: {}, parts: [{ key: "t", kind: "tool", props: {} }] });
    const { $ } = view();
    ops(op);
    assert.deepEqual(model.sentOf("resync"), [{ type: "resync", n: 0, plain: undefined }], String(op));
    ops(["full", { n: 2, head: { title: "mended" }, parts: [] }]);
    clock.pass(20);
    assert.equal($(".vibe-title").textContent, "mended");
    assert.equal($(".vibe-tool"), null);
  }
  assert.equal(warn.mock.callCount(), 7);
});

test("a newer snapshot in the trait is shown, an older one is not", () => {
  const clock = page();
  const { model, view } = mount({ n: 5, head: { title: "five" }, parts: [] });
  const { $ } = view();
  for (const [n, title, shown] of [
    [4, "four", "five"],
    [9, "nine", "nine"],
  ]) {
    model.snapshot = { n, head: { title }, parts: [] };
    model.fire("change:_snapshot");
    clock.pass(20);
    assert.equal($(".vibe-title").textContent, shown);
  }
  assert.deepEqual(model.sentOf("resync"), []);
});

test("the snapshot's own value never changes", () => {
  const clock = page();
  const part = { key: "t", kind: "text", props: {}, blocks: ["<p>a</p>"], open: "", tail: "" };
  const snapshot = { n: 0, head: { title: "a" }, parts: [part] };
  const before = JSON.stringify(snapshot);
  const { view, ops } = mount(snapshot);
  view();
  ops(
    ["b", "t", "<p>b</p>"],
    ["set", "t", { x: 1 }],
    ["head", { title: "b" }],
    ["add", "u", "run", 0, 0, {}],
  );
  clock.pass(20);
  assert.equal(JSON.stringify(snapshot), before);
});

test("custom messages of other kinds are ignored", () => {
  page();
  const { model, view } = mount();
  const { el } = view();
  const before = inside(el);
  for (const message of [null, {}, { id: "1", response: 3 }]) model.receive(message);
  assert.equal(inside(el), before);
  const [{ page: name, ...hello }, ...others] = model.sent;
  assert.ok(name);
  assert.deepEqual([hello, others], [{ type: "hello", n: 0, plain: undefined }, []]);
});

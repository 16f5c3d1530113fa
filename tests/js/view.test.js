import assert from "node:assert/strict";
import { test } from "node:test";
import { inside, Sized, shown, tool } from "./fake.js";

const TEXT = ["add", "x", "text", 0, 0, {}];
const isOpen = (part) => {
  const [fold, body] = part.children;
  assert.equal(fold.getAttribute("aria-expanded"), String(!body.hidden));
  return !body.hidden;
};

test("the root has the classes of the saved form, and the view sends hello with its number", () => {
  const { model, $ } = shown({ n: 7, head: { title: "Researcher" }, parts: [] });
  assert.ok($(".vibe.jp-RenderedHTMLCommon"));
  assert.equal($(".vibe-title").textContent, "Researcher");
  const [{ page, ...hello }, ...others] = model.sent;
  assert.ok(page);
  assert.deepEqual([hello, others], [{ type: "hello", n: 7, plain: undefined }, []]);
});

test("parts are inserted at their index, inside of their parent", () => {
  const { frame, texts } = shown();
  frame(tool({ name: "a" }, "a"), tool({ name: "b" }, "b"));
  frame(["add", "c", "tool", "a", 0, { name: "c" }], ["add", "d", "tool", "a", 0, { name: "d" }]);
  assert.deepEqual(texts(".vibe-name"), ["b", "a", "d", "c"]);
  frame(["move", "c", 0, 0]);
  assert.deepEqual(texts(".vibe-name"), ["c", "b", "a", "d"]);
  frame(["del", "a"]);
  assert.deepEqual(texts(".vibe-name"), ["c", "b"]);
});

test("two parts, one inside the other, can change places", () => {
  const { frame, texts, $ } = shown();
  frame(tool({ name: "a" }, "a"), ["add", "b", "tool", "a", 0, { name: "b" }]);
  frame(["set", "b", { state: "ok" }], ["move", "b", 0, 0], ["move", "a", "b", 0]);
  assert.deepEqual(texts(".vibe-name"), ["b", "a"]);
  assert.equal($(".vibe-parts .vibe-parts .vibe-name").textContent, "a");
});

test("closed blocks are inserted once before the open block, and never change again", () => {
  const { frame, $ } = shown();
  frame(TEXT, ["o", "x", "<p>on"], ["a", "x", "e"]);
  assert.equal(inside($(".vibe-text")), "<p>one</p>");
  frame(["b", "x", "<p>one</p>", "<p>two</p>"], ["o", "x", "<p>th</p>"]);
  const [one] = $(".vibe-text p").parentElement.children;
  frame(["o", "x", "ree", 4]);
  frame(["b", "x", "<p>three</p>"]);
  assert.equal(inside($(".vibe-text")), "<p>one</p><p>two</p><p>three</p>");
  assert.equal($(".vibe-text p"), one);
  frame(["k", "x", 0], ["b", "x", "<p>other</p>"]);
  assert.equal(inside($(".vibe-text")), "<p>other</p>");
});

test("text appended to the open block goes into its innermost last element", () => {
  for (const [html, expected] of [
    ["<pre><code>a</code></pre>\n", "<pre><code>a+</code></pre>\n"],
    ["<pre><code>\n\n</code></pre>\n", "<pre><code>\n\n+</code></pre>\n"],
    ["<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n", "<ul>\n<li>a</li>\n<li>b+</li>\n</ul>\n"],
    ["<p>a <em>b</em> c</p>", "<p>a <em>b</em> c+</p>"],
    ["<p>a<br></p>", "<p>a<br>+</p>"],
    ["", "+"],
  ]) {
    const { frame, $ } = shown();
    frame(TEXT, ["o", "x", html]);
    frame(["a", "x", "+"]);
    const wanted = document.createElement("div");
    wanted.innerHTML = expected;
    assert.equal(inside($(".vibe-text")), wanted.innerHTML);
  }
});

test("appended text extends the last text node, and starts another node only if that is long", () => {
  const { frame, $ } = shown();
  frame(tool(), ["txt", "t", "args", 0, "a"]);
  const pre = $(".vibe-args pre");
  const [node] = pre.childNodes;
  frame(["txt", "t", "args", 1, "b".repeat(5000)]);
  frame(["txt", "t", "args", 5001, "c"]);
  assert.equal(pre.firstChild, node);
  assert.equal(pre.childNodes.length, 2);
  assert.equal(pre.textContent, `a${"b".repeat(5000)}c`);
  frame(["txt", "t", "args", 1, "!"]);
  assert.equal(pre.textContent, "a!");
});

test("a full state keeps the nodes of the parts that stay, and what the user opened", () => {
  const { frame, $, el } = shown();
  frame(tool(), ["txt", "t", "output", 0, "ab"], ["add", "x", "text", 0, 1, {}], ["b", "x", "<p>a</p>"]);
  $(".vibe-fold").click();
  const kept = [$(".vibe-tool"), $(".vibe-output pre").firstChild, $(".vibe-text p")];
  frame([
    "full",
    {
      n: 2,
      head: {},
      parts: [
        { key: "n", kind: "run", props: { name: "new" }, fields: {}, parts: [] },
        {
          key: "x",
          kind: "text",
          props: {},
          fields: {},
          blocks: ["<p>a</p>", "<p>b</p>"],
          open: "<p>c</p>",
          tail: "d",
          parts: [],
        },
        {
          key: "t",
          kind: "tool",
          props: { name: "search", state: "ok", open: false },
          fields: { output: "abc" },
          parts: [],
        },
      ],
    },
  ]);
  assert.deepEqual([$(".vibe-tool"), $(".vibe-output pre").firstChild, $(".vibe-text p")], kept);
  assert.ok(isOpen($(".vibe-tool")));
  assert.deepEqual(
    [...$(".vibe-parts").firstChild.children].map((e) => e.textContent),
    ["new", "abcd", "searchArgumentsOutputabcError"],
  );
  frame(["full", { n: 3, head: {}, parts: [] }]);
  assert.equal(el.querySelector(".vibe-parts").childElementCount, 0);
});

test("a tool call is closed unless its props open it, and shows its state unless it is ok", () => {
  const { frame, $ } = shown();
  frame(tool({ state: "awaiting_approval", preview: "q: 1" }));
  assert.equal(isOpen($(".vibe-tool")), false);
  assert.equal($(".vibe-word:not(.vibe-head *)").textContent, "awaiting approval");
  assert.equal($(".vibe-preview").textContent, "q: 1");
  frame(["set", "t", { state: "ok", open: true }]);
  assert.ok(isOpen($(".vibe-tool")));
  assert.equal($(".vibe-tool").dataset.state, "ok");
  assert.equal($(".vibe-word:not(.vibe-head *)").hidden, true);
});

test("only non-empty fields are shown", () => {
  const { frame, $ } = shown();
  const visible = () =>
    ["args", "output", "error"].filter((name) => !$(`.vibe-${name}:not(.vibe > *)`).hidden);
  frame(tool());
  assert.deepEqual(visible(), []);
  frame(["txt", "t", "args", 0, "{}"]);
  assert.deepEqual(visible(), ["args"]);
  frame(["txt", "t", "output", 0, "1"], ["set", "t", { error: "no" }]);
  assert.deepEqual(visible(), ["args", "output", "error"]);
});

test("progress is a bar and words while the call is busy, and then hidden", () => {
  const { frame, $ } = shown();
  frame(tool({ progress: 3, total: 4, message: "reading" }));
  assert.equal($(".vibe-progress").textContent, "3/4 · reading");
  assert.equal($(".vibe-bar i").style.width, "75%");
  frame(["set", "t", { progress: 9 }]);
  assert.equal($(".vibe-bar i").style.width, "100%");
  frame(["set", "t", { total: null }]);
  assert.ok($(".vibe-bar").hidden);
  frame(["set", "t", { state: "ok" }]);
  assert.ok($(".vibe-progress").hidden);
});

test("thinking is open while it is written and folds when it is done, unless the user chose", () => {
  const { frame, $, el } = shown();
  frame(["add", "a", "thinking", 0, 0, { done: false }], ["add", "b", "thinking", 0, 1, { done: false }]);
  frame(["txt", "a", "text", 0, "hm"]);
  const [a, b] = el.querySelectorAll(".vibe-thinking");
  assert.ok(isOpen(a) && isOpen(b));
  assert.equal($(".vibe-fold").textContent, "Thinking…");
  b.querySelector(".vibe-fold").click();
  b.querySelector(".vibe-fold").click();
  frame(["set", "a", { done: true }], ["set", "b", { done: true }]);
  assert.equal($(".vibe-fold").textContent, "Thought");
  assert.equal($(".vibe-thought").textContent, "hm");
  assert.deepEqual([isOpen(a), isOpen(b)], [false, true]);
});

test("the user's toggle is sent once, applies in every view, and overrides the kernel's choice", () => {
  const { clock, model, view, frame, $ } = shown();
  frame(tool());
  const second = view();
  $(".vibe-fold").click();
  clock.pass(16);
  const late = view();
  const isOpenIn = ({ $ }) => isOpen($(".vibe-tool"));
  assert.ok([{ $ }, second, late].every(isOpenIn));
  frame(["set", "t", { open: false, state: "ok" }]);
  frame(["del", "t"], tool());
  assert.ok([{ $ }, second].every(isOpenIn));
  second.$(".vibe-fold").click();
  clock.pass(16);
  assert.equal(isOpenIn({ $ }), false);
  assert.deepEqual(model.sentOf("toggle"), [
    { type: "toggle", key: "t", open: true },
    { type: "toggle", key: "t", open: false },
  ]);
});

test("a part that the kernel opens or closes sends no toggle", () => {
  const { frame, model, $, clock } = shown();
  frame(tool({ open: true }));
  frame(["set", "t", { open: false }]);
  clock.pass(1000);
  assert.equal(isOpen($(".vibe-tool")), false);
  assert.deepEqual(model.sentOf("toggle"), []);
});

test("Enter and the space bar toggle a fold, once for each press, and no other key does", () => {
  const { frame, $ } = shown();
  frame(tool());
  const press = (key, repeat = false) => {
    const { defaultView } = $(".vibe-fold").ownerDocument;
    return !$(".vibe-fold").dispatchEvent(
      new defaultView.KeyboardEvent("keydown", { key, repeat, cancelable: true }),
    );
  };
  assert.deepEqual([press("Enter"), isOpen($(".vibe-tool"))], [true, true]);
  assert.deepEqual([press("Enter", true), isOpen($(".vibe-tool"))], [true, true]);
  assert.deepEqual([press(" "), isOpen($(".vibe-tool"))], [true, false]);
  assert.deepEqual([press("a"), isOpen($(".vibe-tool"))], [false, false]);
});

/** Make a view as high as `holds()` returns, by itself or, once it is very high, by the element beside it. */
function high(holds) {
  const made = shown();
  const view = made.$(".vibe");
  const space = () => parseFloat(made.el.children[1]?.style.height);
  view.getBoundingClientRect = () => ({ height: holds() && (space() || holds()) });
  Object.defineProperty(view, "offsetHeight", { get: () => holds() && space() });
  Object.defineProperty(view.lastChild, "offsetTop", { get: () => Math.round(holds()) });
  const drawn = () => {
    Sized.run();
    made.clock.pass(16);
    return [...made.el.children].slice(1).map((space) => space.style.height);
  };
  return { ...made, drawn };
}

test("a very high view is whole pixels high, by the element beside it, also once it becomes lower", () => {
  let holds = 1000.25;
  const { drawn, el } = high(() => holds);
  assert.deepEqual([drawn(), el.className], [[], ""]);
  const after = (now) => {
    holds = now;
    return drawn();
  };
  assert.deepEqual([300000.25, 300000.25, 300002, 100000, 100050.6].map(after), [
    ["300001px"],
    ["300001px"],
    ["300003px"],
    ["100001px"],
    ["100052px"],
  ]);
  assert.equal(el.className, "vibe-high");
});

test("a very high view in a hidden tab keeps its height during draws", () => {
  let holds = 300000;
  const { drawn, frame, el } = high(() => holds);
  assert.deepEqual(drawn(), ["300001px"]);
  holds = 0;
  frame(["head", { title: "other" }]);
  assert.equal(el.children[1].style.height, "300001px");
  holds = 300200;
  assert.deepEqual(drawn(), ["300201px"]);
});

test("a part that the reader opens in a very high view sets its height at once, and is no growth", () => {
  /** @type {any} */
  let call;
  const { drawn, frame, $, el } = high(() => 300000 + (call && isOpen(call) ? 500 : 0));
  frame(tool());
  call = $(".vibe-tool");
  assert.deepEqual(drawn(), ["300001px"]);
  $(".vibe-fold").click();
  assert.equal(el.children[1].style.height, "300501px");
});

test("a row that does not fit is clipped, also after the view becomes narrower or the row's part is opened", () => {
  const { frame, $, el } = shown();
  const widths = (of, scrollWidth) =>
    Object.defineProperties(of, {
      scrollWidth: { value: scrollWidth, configurable: true },
      clientWidth: { value: 100, configurable: true },
    });
  const isCut = (row) => row.classList.contains("vibe-cut");
  frame(tool({ preview: "q: 1" }), ["add", "u", "tool", "t", 0, { name: "inner", state: "ok" }]);
  const [outer, inner] = el.querySelectorAll(".vibe-row");
  assert.deepEqual([isCut(outer), isCut(inner)], [false, false]);
  widths(outer.querySelector(".vibe-preview"), 101);
  widths(inner.querySelector("code"), 101);
  frame(["set", "t", { state: "ok" }]);
  assert.deepEqual([isCut(outer), isCut(inner)], [true, false]);
  $(".vibe-fold").click();
  frame();
  assert.deepEqual([isCut(outer), isCut(inner)], [true, true]);
  widths(outer.querySelector(".vibe-preview"), 100);
  Sized.run();
  assert.deepEqual([isCut(outer), isCut(inner)], [false, true]);
});

test("the end stays in sight if it was in sight, but not for a reader who scrolled up or opened a call", (t) => {
  const { el, ops, clock } = shown();
  const box = document.body;
  const height = () =>
    40 + 20 * el.querySelectorAll("p").length + (el.querySelector('[aria-expanded="true"]') ? 500 : 0);
  let top = 0;
  box.style.overflowY = "auto";
  t.after(() => {
    for (const name of ["clientHeight", "scrollHeight", "scrollTop", "getBoundingClientRect"])
      delete box[name];
  });
  Object.defineProperties(box, {
    clientHeight: { value: 100, configurable: true },
    scrollHeight: { get: height, configurable: true },
    scrollTop: {
      get: () => top,
      set: (to) => (top = Math.max(0, Math.min(to, height() - 100))),
      configurable: true,
    },
    getBoundingClientRect: { value: () => ({ bottom: 100 }), configurable: true },
  });
  let looks = 0;
  el.firstChild.getBoundingClientRect = () => ++looks && { bottom: height() - top, height: height() };
  Sized.run();
  const grow = (blocks) => {
    ops(["b", "x", ...Array(blocks).fill("<p>a</p>")]);
    const before = looks;
    clock.pass(16);
    assert.equal(looks, before); // a look between two draws lays out the page
    Sized.run();
  };
  ops(TEXT, tool());
  for (const [blocks, expected] of [
    [2, 0],
    [3, 40],
    [1, 60],
  ]) {
    grow(blocks);
    assert.equal(top, expected);
  }
  top = 50;
  grow(4);
  assert.equal(top, 50);
  top = 140;
  grow(1);
  assert.equal(top, 160);
  getSelection().selectAllChildren(el);
  grow(1);
  assert.equal(top, 160);
  getSelection().removeAllRanges();
  top = 180;
  el.querySelector(".vibe-fold").click();
  grow(1);
  assert.equal(top, 180);
});

test("a long output follows its tail until it is scrolled up", () => {
  const { frame, $ } = shown();
  frame(tool());
  const pre = $(".vibe-output pre");
  let top = 0;
  Object.defineProperties(pre, {
    scrollHeight: { value: 500 },
    clientHeight: { value: 100 },
    scrollTop: { get: () => top, set: (to) => (top = to) },
  });
  const write = (keep) => frame(["txt", "t", "output", keep, "a"]);
  write(0);
  assert.equal(top, 500);
  top = 50;
  pre.dispatchEvent(new document.defaultView.Event("scroll"));
  write(1);
  assert.equal(top, 50);
  top = 400;
  pre.dispatchEvent(new document.defaultView.Event("scroll"));
  write(2);
  assert.equal(top, 500);
});

test("a growing block keeps its unchanged nodes, and so a selection in it", () => {
  const { frame, $ } = shown();
  frame(TEXT, ["o", "x", "<p>one <b>two</b> thr</p>\n"]);
  const [one, two, three] = $("p").childNodes;
  const range = document.createRange();
  range.setStart(one, 1);
  range.setEnd(three, 2);
  getSelection().addRange(range);
  frame(["o", "x", "ee <i>four</i>", 5]);
  frame(["c", "x"], ["o", "x", "<p>next</p>\n"]);
  assert.deepEqual([...$("p").childNodes].slice(0, 3), [one, two, three]);
  assert.equal(inside($(".vibe-text")), "<p>one <b>two</b> three <i>four</i></p>\n<p>next</p>\n");
  assert.equal(getSelection().toString(), "ne two t");
  getSelection().removeAllRanges();
});

test("a fence that closes keeps its text and gets its colours, by units and not by characters", () => {
  const { frame, $ } = shown();
  const html = '<div class="highlight"><pre><code class="language-py"></code></pre></div>\n';
  frame(TEXT, ["o", "x", html], ["a", "x", "if 😀 == 'x':\n"]);
  const code = $("code");
  frame(["c", "x", 0, "kCBCoCBs1D"]);
  assert.equal($("code"), code);
  assert.equal(
    code.innerHTML,
    `<span class="k">if</span> 😀<span class="o"> =</span>=<span class="s1"> 'x</span>':\n`,
  );
  frame(["b", "x", [html, "kD<img>Z;o..A", "and <b>\n"]]);
  assert.equal($(".highlight:last-child code").textContent, "and <b>\n");
  assert.equal($("img"), null);
});

test("items of an open list are inserted into it, and later blocks stand after it", () => {
  const { frame, $ } = shown();
  frame(TEXT, ["b", "x", "\0<ul>\n</ul>\n", "<li>a</li>\n"], ["o", "x", "<li>b</li>\n"]);
  assert.equal(inside($(".vibe-text")), "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n");
  const first = $("li");
  frame(["o", "x", "\0<p>aft</p>\n"]);
  assert.equal(inside($(".vibe-text")), "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<p>aft</p>\n");
  frame(["c", "x", 11], ["c", "x", 1], ["o", "x", "er", 5]);
  assert.equal(inside($(".vibe-text")), "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<p>after</p>\n");
  assert.equal($("li"), first);
  frame(["b", "x", "\0<table><tbody></tbody></table>\n", "<tr><td>1</td></tr>\n"]);
  assert.equal($("table").rows.length, 1);
});

test("every link opens in another page, without a referrer or an opener", () => {
  const { frame, $ } = shown();
  frame(TEXT, ["o", "x", '<p><a href="https://example.org">x</a></p>']);
  assert.deepEqual([$("p a").target, $("p a").rel], ["_blank", "noopener noreferrer"]);
});

test("closed blocks are in groups, so that a browser lays out only the last group", () => {
  const { frame, $ } = shown();
  frame(
    TEXT,
    ["b", "x", ...Array.from({ length: 134 }, (_, i) => `<p>${i}</p>\n`)],
    ["o", "x", "<p>open</p>"],
  );
  assert.deepEqual(
    [...$(".vibe-text").children].map((group) => group.children.length),
    [64, 64, 7],
  );
  assert.equal($(".vibe-text").textContent, `${[...Array(134).keys()].join("\n")}\nopen`);
});

test("a long list continues in further lists, with the right numbers", () => {
  const { frame, $ } = shown();
  const items = Array.from({ length: 134 }, (_, i) => `<li>${i}</li>\n`);
  frame(
    TEXT,
    ["b", "x", '\0<ol start="3">\n</ol>\n', ...items],
    ["o", "x", "<li>open</li>\n\0<p>after</p>\n"],
  );
  const lists = [...$(".vibe-text").querySelectorAll("ol")];
  assert.deepEqual(
    lists.map((list) => [list.start, list.children.length]),
    [
      [3, 64],
      [67, 64],
      [131, 7],
    ],
  );
  assert.equal($(".vibe-text").lastChild.lastElementChild.outerHTML, "<p>after</p>");
  frame(["c", "x", 14], ["b", "x", "\0", "<p>on</p>"]);
  assert.equal($(".vibe-text").lastChild.lastElementChild.outerHTML, "<p>on</p>");
});

test("a long table continues in further tables of the same columns, and every other row keeps its shade", () => {
  const { frame, $ } = shown();
  const skeleton = "\0<table>\n<thead><tr><th>a</th><th>b</th></tr></thead>\n<tbody>\n</tbody>\n</table>\n";
  const row = (_, i) => `<tr><td>${2 * i}</td><td>x</td></tr>\n<tr><td>${2 * i + 1}</td><td>x</td></tr>\n`;
  const rows = Array.from({ length: 36 }, row); // as many as come at once are one piece
  frame(TEXT, ["b", "x", skeleton, ...rows]);
  const tables = [...$(".vibe-text").querySelectorAll("table")];
  assert.deepEqual(
    tables.map((table) => table.querySelectorAll("col").length),
    [2, 2],
  );
  assert.deepEqual(
    tables.map((table) => table.tHead !== null),
    [true, false],
  );
  const rowsOf = tables.map((table) => [...table.tBodies[0].rows]);
  assert.deepEqual(
    rowsOf.map((found) => found.filter((row) => !row.hidden).length),
    [64, 8],
  );
  const rowsNow = rowsOf.flatMap((found) => found.map((row, i) => [row, i]).filter(([row]) => !row.hidden));
  for (const [number, [row, i]] of rowsNow.entries()) assert.equal(i % 2, number % 2, row.textContent);
});

test("a long list in a quote stays one", () => {
  const { frame, $ } = shown();
  const items = Array.from({ length: 134 }, (_, i) => `<li>${i}</li>\n`);
  frame(TEXT, ["b", "x", "\0<blockquote>\n<ul>\n</ul>\n</blockquote>\n", ...items, "\0", "<p>after</p>"]);
  assert.equal($(".vibe-text").querySelectorAll("ul").length, 1);
  assert.equal($(".vibe-text").lastChild.lastElementChild.outerHTML, "<p>after</p>");
});

test("a long growing text is in boxes that begin after a line's end, wherever its pieces are cut", () => {
  const line = `${"x".repeat(99)}\n`;
  const boxes = (size) => {
    const { frame, $ } = shown();
    const text = line.repeat(300);
    frame(TEXT, ["o", "x", "<pre><code></code></pre>"]);
    for (let at = 0; at < text.length; at += size) frame(["a", "x", text.slice(at, at + size)]);
    const code = $("code");
    assert.equal(code.textContent, text);
    return [...code.childNodes].filter((node) => node.nodeType === 1).map((box) => box.textContent.length);
  };
  assert.deepEqual(boxes(30_000), [8200, 8200, 5400]);
  assert.deepEqual(boxes(77), boxes(30_000));
  assert.deepEqual(boxes(4000), boxes(30_000));
});

test("parts are in groups in their order, wherever they are inserted, and an empty group is removed", () => {
  const { frame, $, texts } = shown();
  const added = (key, index) => ["add", key, "run", 0, index, { name: String(key) }];
  frame(...Array.from({ length: 134 }, (_, i) => added(i + 1, i)));
  const groups = () => [...$(".vibe-parts").children].map((group) => group.children.length);
  assert.deepEqual(groups(), [...Array(4).fill(32), 6]);
  frame(added(1000, 10), ["move", 1, 0, 133], ...Array.from({ length: 6 }, (_, i) => ["del", 129 + i]));
  const order = [
    ...Array.from({ length: 9 }, (_, i) => i + 2),
    1000,
    ...Array.from({ length: 118 }, (_, i) => i + 11),
  ];
  assert.deepEqual(
    texts(".vibe-run > * > .vibe-name")
      .map(Number)
      .filter((n) => n !== 1),
    order,
  );
  assert.deepEqual(groups(), [...Array(4).fill(32), 1]);
});

test("only with very many groups of parts does the browser skip full groups", () => {
  const { frame, $ } = shown();
  frame(...Array.from({ length: 32 * 18 + 1 }, (_, i) => ["add", i + 1, "run", 0, i, {}]));
  const full = [...$(".vibe-parts").children].map((group) => "full" in group.dataset);
  assert.deepEqual(full, [...Array(15).fill(false), true, true, true, false]);
});

test("many groups are in boxes of eight, so that a browser visits few when one grows", () => {
  const { frame, $ } = shown();
  const text = (selector) => [...$(".vibe-text").querySelectorAll(selector)];
  const blocks = Array.from({ length: 64 * 20 + 3 }, (_, i) => `<p>${i}</p>`);
  frame(TEXT, ["b", "x", ...blocks]);
  assert.deepEqual(
    text(":scope > div").map(({ className, children }) => className && children.length),
    [...Array(8).fill(""), 8, 5],
  );
  assert.deepEqual(
    text("p").map((p) => p.textContent),
    blocks.map((_, i) => String(i)),
  );
  frame(["full", { head: {}, parts: [{ key: "x", kind: "text", props: {}, blocks: ["<p>new</p>"] }] }]);
  assert.equal($(".vibe-text").innerHTML, "<div><p>new</p></div>");
});

test("a very long list stands in several groups, whole and in order", () => {
  const { frame, $ } = shown();
  const items = Array.from({ length: 64 * 40 - 1 }, (_, i) => `<li>${i}</li>\n`);
  frame(TEXT, ["b", "x", "\0<ul>\n</ul>\n", ...items, "\0", "<p>after</p>"]);
  assert.deepEqual(
    [...$(".vibe-text").children].map((group) => group.querySelectorAll("ul").length),
    [16, 16, 8],
  );
  assert.deepEqual(
    [...$(".vibe-text").querySelectorAll("li")].map((li) => Number(li.textContent)),
    [...items.keys()],
  );
  assert.equal($(".vibe-text").lastChild.lastElementChild.outerHTML, "<p>after</p>");
});

test("of a long error and a long note the beginning is shown, and all of it after a click", () => {
  const long = "x".repeat(25_000);
  const { frame, $ } = shown();
  frame(tool({ state: "error", error: long }), ["head", { error: "short", note: long }]);
  assert.equal($(".vibe > .vibe-error").textContent, "short");
  for (const box of [$(".vibe > .vibe-note"), $(".vibe-error pre")]) {
    assert.equal(box.textContent, `${"x".repeat(10_000)}…\nShow all (25,000 characters)`);
    box.querySelector("button").click();
    assert.equal(box.textContent, long);
  }
});

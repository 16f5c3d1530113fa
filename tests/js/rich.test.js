/** Test displays, the numbers of sources, and long texts that arrive in pieces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOSTILE, shown, tool } from "./fake.js";

const IMAGE = "data:image/png;base64,AAAA";
const LONG = { state: "ok", open: true, whole_output: 500_000 };

test("a blob is shown by each part that names it, with the images inside, and its nodes stay while it stays", () => {
  const { frame, el, $ } = shown();
  frame(
    ["blob", 1, IMAGE],
    ["blob", 2, '<p>plot</p><img src="\x001\0" alt="">'],
    tool({ state: "ok", rich_output: 2 }),
    ["add", "a", "artifact", 0, 1, { name: "plot.png", src: 1, rich: 2 }],
  );
  const images = [...el.querySelectorAll("img")];
  assert.deepEqual(
    images.map((image) => [image.getAttribute("src"), image.getAttribute("loading")]),
    [IMAGE, IMAGE, IMAGE].map((src) => [src, "lazy"]),
  );
  frame(["set", "t", { progress: 1, message: "x" }], ["set", "a", { action: "updated" }]);
  assert.deepEqual([...el.querySelectorAll("img")], images);
  frame(["blob", 3, "<p>other</p>"], ["set", "t", { rich_output: 3 }], ["blob", 2]);
  assert.equal($(".vibe-output-rich").innerHTML, "<p>other</p>");
  frame(["set", "t", { rich_output: null }]);
  assert.ok($(".vibe-output").hidden);
});

test("a call with a picture opens unless the reader closed it, and a failed command says its exit code", () => {
  const { frame, $ } = shown();
  frame(tool({ state: "ok", opens: true, exit: "exit 1" }));
  assert.equal($(".vibe-tool .vibe-fold").getAttribute("aria-expanded"), "true");
  assert.ok($(".vibe-tool").textContent.includes("exit 1"));
  $(".vibe-tool .vibe-fold").click();
  frame(["set", "t", { opens: true, progress: 1 }]);
  assert.equal($(".vibe-tool .vibe-fold").getAttribute("aria-expanded"), "false");
});

test("a thought that is done says how long it took", () => {
  const { frame, $ } = shown();
  frame(["add", "h", "thinking", 0, 0, { done: false }]);
  assert.equal($(".vibe-thinking .vibe-fold").textContent, "Thinking…");
  frame(["set", "h", { done: true, took: "2.5 s" }]);
  assert.equal($(".vibe-thinking .vibe-fold").textContent, "Thought for 2.5 s");
});

test("a call's own form stands in place of its plain text, or below what it wrote", () => {
  const { frame, $ } = shown();
  frame(["blob", 1, "<p>a diff</p>"], tool({ state: "running", rich_args: 1, open: true }));
  assert.deepEqual([$(".vibe-args").hidden, $(".vibe-args-text").hidden], [false, true]);
  frame(["txt", "t", "output", 0, "line 1\n"], ["txt", "t", "output", 7, "line 2\n"]);
  assert.equal($(".vibe-output-text").textContent, "line 1\nline 2\n");
  frame(
    ["blob", 2, "<p>exit 1</p>"],
    ["txt", "t", "output", 0, ""],
    ["set", "t", { state: "ok", rich_output: 2 }],
  );
  assert.deepEqual([$(".vibe-output-text").hidden, $(".vibe-output-rich").textContent], [true, "exit 1"]);
});

test("an item that is replaced keeps the text before the change, also in a list", () => {
  const { frame, texts, $ } = shown();
  frame(["add", "x", "text", 0, 0, {}]);
  frame([
    "b",
    "x",
    "<p>one <b>two</b> three.</p>\n",
    "<p>four</p>\n",
    "\0<ul>\n</ul>\n",
    "<li>five</li>\n",
    "<li>six</li>\n",
  ]);
  const before = [...$("p").childNodes];
  frame(
    ["r", "x", 0, "<p>one <b>two</b> three.<sup>[1]</sup></p>\n"],
    ["r", "x", 4, "<li>six<sup>[2]</sup></li>\n"],
  );
  assert.deepEqual([...$("p").childNodes].slice(0, 3), before);
  assert.deepEqual(texts("p, li"), ["one two three.[1]", "four", "five", "six[2]"]);
  frame(["r", "x", 1, "<h1>other</h1>\n"]);
  assert.deepEqual(texts("p, h1, li"), ["one two three.[1]", "other", "five", "six[2]"]);
});

test("the header shows the newest plan as text", () => {
  const { frame, $ } = shown();
  assert.ok($(".vibe-steps").hidden);
  for (const words of HOSTILE) {
    frame(["head", { plan: `Plan 2/5 · ${words}` }]);
    assert.equal($(".vibe-steps").textContent, `Plan 2/5 · ${words}`);
    assert.equal($(".vibe-steps").childElementCount, 0);
  }
});

test("a long result is asked for piece by piece, each after the one before was drawn", () => {
  const { frame, model, clock, $ } = shown();
  frame(tool(LONG), ["txt", "t", "output", 0, "the beginning"]);
  const button = $(".vibe-output-more");
  assert.equal(button.textContent, "Show all (500,000 characters)");
  button.click();
  clock.pass(16);
  assert.deepEqual([button.disabled, button.textContent], [true, "Loading all 500,000 characters…"]);
  assert.equal($(".vibe-output-text").textContent, "the beginning");
  let at = 0;
  for (const size of [200_000, 200_000, 100_000]) {
    assert.deepEqual(model.sentOf("more").at(-1), { type: "more", key: "t", field: "output", from: at });
    frame(["more", "t", "output", at, at + size, 500_000, "x".repeat(size)]);
    at += size;
    assert.equal($(".vibe-output-text").textContent.length, at);
    clock.pass(16);
  }
  assert.equal(model.sentOf("more").length, 3);
  assert.ok(button.hidden);
});

test("pieces that this page did not ask for change nothing", () => {
  const { frame, model, clock, $ } = shown();
  frame(tool(LONG), ["txt", "t", "output", 0, "short"], ["more", "t", "output", 0, 3, 9, "xyz"]);
  assert.equal($(".vibe-output-text").textContent, "short");
  $(".vibe-output-more").click();
  frame(["more", "t", "output", 3, 6, 9, "abc"], ["more", "t", "args", 0, 3, 9, "def"]);
  clock.pass(100);
  assert.equal($(".vibe-output-text").textContent, "short");
  assert.deepEqual(model.sentOf("resync"), []);
});

test("a reader who asks a kernel that is gone is told so, and keeps what is shown", () => {
  const { frame, model, clock, $ } = shown();
  frame(tool(LONG), ["txt", "t", "output", 0, "the beginning"], ["head", { state: "ended" }]);
  $(".vibe-output-more").click();
  frame(["more", "t", "output", 0, 200_000, 500_000, "y".repeat(200_000)]);
  model.widget_manager = { kernel: { status: "dead" } };
  clock.pass(60_000);
  const button = $(".vibe-output-more");
  assert.deepEqual(
    [button.disabled, button.textContent],
    [true, "The kernel, which has all 500,000 characters, is gone"],
  );
  assert.equal($(".vibe-output-text").textContent.length, 200_000);
  assert.equal(clock.pending, 0);
});

test("a whole state while a piece is on its way offers the rest again", () => {
  const { frame, model, $ } = shown();
  frame(tool(LONG), ["txt", "t", "output", 0, "short"]);
  $(".vibe-output-more").click();
  frame(["more", "t", "output", 0, 10, 500_000, "z".repeat(10)]);
  const part = { key: "t", kind: "tool", props: LONG, fields: { output: "short" }, parts: [] };
  frame(["full", { n: 3, head: {}, parts: [part] }]);
  const button = $(".vibe-output-more");
  assert.deepEqual([button.disabled, button.textContent], [false, "Show the rest of 500,000 characters"]);
  button.click();
  assert.deepEqual(model.sentOf("more").at(-1).from, 10);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { mount, page, shown, tool } from "./fake.js";

test("the first message after a frame is drawn at once, later messages with the next frame", () => {
  const { clock, ops, $ } = shown();
  clock.pass(16);
  ops(["add", "x", "text", 0, 0, {}], ["o", "x", "<p>first</p>"]);
  assert.equal($(".vibe-text").textContent, "first");
  for (let i = 0; i < 50; i++) ops(["k", "x", 0], ["o", "x", `<p>${i}</p>`]);
  assert.equal($(".vibe-text").textContent, "first");
  clock.pass(16);
  assert.equal($(".vibe-text").textContent, "49");
  clock.pass(16);
  ops(["k", "x", 0], ["o", "x", "<p>at once</p>"]);
  assert.equal($(".vibe-text").textContent, "at once");
});

test("a hidden tab, which has no frames, is drawn ten times a second", () => {
  const { clock, ops, $ } = shown();
  clock.pass(16);
  clock.hidden = true;
  ops(["head", { title: "hidden" }]);
  assert.equal($(".vibe-title").textContent, "hidden");
  ops(["head", { title: "still hidden" }]);
  clock.pass(99);
  assert.equal($(".vibe-title").textContent, "hidden");
  clock.pass(1);
  assert.equal($(".vibe-title").textContent, "still hidden");
});

test("a live stoppable stream has a Stop button, which is sent once and shows it in every view", () => {
  const { frame, model, view, $, clock } = shown();
  assert.ok($("button").hidden);
  frame(["head", { stoppable: true, state: "live" }]);
  const second = view();
  assert.deepEqual([$("button").hidden, $("button").textContent], [false, "Stop"]);
  $("button").click();
  clock.pass(16);
  for (const { $: find } of [{ $ }, second]) {
    assert.deepEqual(
      [find("button").textContent, find("button").disabled],
      ["Stopping after this step…", true],
    );
    find("button").click();
  }
  assert.deepEqual(model.sentOf("stop"), [{ type: "stop" }]);
  frame(["head", { state: "ended", outcome: "cancelled" }]);
  assert.ok($("button").hidden);
  assert.equal($(".vibe-word").textContent, "cancelled");
});

test("a stream that the kernel was told to stop says that its step goes on, in every view", () => {
  const { frame, view, $, model } = shown();
  frame(["head", { stoppable: true, state: "live" }]);
  frame(["head", { stopping: true }]);
  for (const { $: find } of [{ $ }, view()]) {
    const button = find("button");
    assert.deepEqual(
      [button.hidden, button.textContent, button.disabled],
      [false, "Stopping after this step…", true],
    );
    button.click();
  }
  assert.deepEqual(model.sentOf("stop"), []);
  frame(["head", { state: "ended", outcome: "cancelled" }]);
  assert.ok($("button").hidden);
});

test("the header shows a remote stream's connections, with a Reconnect button while the stream is live", () => {
  const { frame, model, $, el } = shown();
  assert.ok($(".vibe-net").hidden);
  const told = () =>
    [...el.querySelectorAll(".vibe-lines > div")].map((line) => [line.dataset.state, line.textContent]);
  frame(["head", { state: "live", connection: [["connecting", "connecting"]] }]);
  assert.deepEqual([$(".vibe-net").hidden, $(".vibe-reconnect").hidden], [false, false]);
  assert.deepEqual(told(), [["connecting", "connecting"]]);
  const two = [
    ["live", "a: live"],
    ["reconnecting", "b: in 3 s <img src=x onerror=alert(1)>"],
  ];
  frame(["head", { connection: two }]);
  assert.deepEqual(told(), two);
  const kept = $(".vibe-lines > div");
  frame(["head", { title: "T" }]);
  assert.equal($(".vibe-lines > div"), kept);
  $(".vibe-reconnect").click();
  assert.deepEqual(model.sentOf("reconnect"), [{ type: "reconnect" }]);
  frame(["head", { state: "ended", connection: [["refused", "refused: 404"]] }]);
  assert.deepEqual([told(), $(".vibe-reconnect").hidden], [[["refused", "refused: 404"]], true]);
});

test("the header shows a cost that is not whole, the fill of the context, and the table of its prices", () => {
  const { frame, $ } = shown();
  const whole = { context: 50_000, window: 200_000, prices: "t 1" };
  const usage = { input_tokens: 9_000, cost: 0.0123, is_partial: true, ...whole };
  frame(["head", { state: "live", usage }]);
  const seen = $(".vibe-usage");
  assert.equal(seen.textContent, "9,000 in · ≥$0.0123 · 25 % of context");
  assert.equal(seen.title, "50,000 of 200,000 tokens of context · prices: t 1 · some calls have no price");
  frame(["head", { usage: { estimate: 1200 } }]);
  assert.equal(seen.textContent, "≈1,200 tokens");
  assert.equal(seen.title, "");
});

test("the header shows outcome, usage, error and note", () => {
  const { frame, $ } = shown();
  frame(["head", { state: "live", usage: { model: "m", input_tokens: 12345, output_tokens: 6, cost: 0.5 } }]);
  assert.equal($(".vibe-word").textContent, "live");
  assert.equal($(".vibe-usage").textContent, "m · 12,345 in · 6 out · $0.5000");
  frame([
    "head",
    { state: "ended", outcome: "error", error: "ValueError", note: "late", usage: "as the kernel says" },
  ]);
  const told = ["word", "usage", "error", "note"].map((name) => $(`.vibe-${name}`).textContent);
  assert.deepEqual(told, ["error", "as the kernel says", "ValueError", "late"]);
  assert.equal($(".vibe").dataset.state, "error");
});

test("durations grow by the kernel's clock while a part runs, and then stop", () => {
  const { clock, frame, $ } = shown();
  const kernel = clock.now / 1000 - 3600;
  const time = () => $(".vibe-tool .vibe-time").textContent;
  frame(["head", { state: "live", now: kernel }], tool({ t0: kernel - 2 }));
  clock.pass(500);
  assert.equal(time(), "2.5 s");
  clock.pass(60_000);
  assert.equal(time(), "1 m 2 s");
  frame(["set", "t", { t1: kernel + 1.2, state: "ok" }]);
  assert.equal(time(), "3.2 s");
  clock.pass(10_000);
  assert.equal(time(), "3.2 s");
});

test("no timer is left once the stream has ended", () => {
  const { clock, frame } = shown();
  frame(
    ["head", { state: "live", now: clock.now / 1000, t0: clock.now / 1000 }],
    tool({ t0: clock.now / 1000 }),
  );
  clock.pass(5000);
  assert.ok(clock.pending > 0);
  frame(
    ["set", "t", { state: "ok", t1: clock.now / 1000 }],
    ["head", { state: "ended", t1: clock.now / 1000 }],
  );
  assert.equal(clock.pending, 0);
});

test("once the last view is removed, no timer is left and the kernel gets a message", () => {
  const { clock, frame, view, unmount, model, ops, el } = shown();
  frame(tool({ t0: clock.now / 1000 }));
  const second = view();
  ops(["head", { title: "new" }]);
  unmount();
  assert.deepEqual(model.sentOf("bye"), []);
  second.unmount();
  assert.deepEqual(model.sentOf("bye"), [{ type: "bye", page: model.sent[0].page }]);
  assert.equal(clock.pending, 0);
  assert.equal(el.innerHTML, "");
});

test("messages that arrive without a view are in the next view", () => {
  const { clock, view, unmount, ops, model } = shown();
  unmount();
  ops(["head", { title: "unseen" }]);
  model.receive({ n: 9, ops: [] });
  assert.equal(clock.pending, 0);
  assert.equal(view().$(".vibe-title").textContent, "unseen");
  const { page, ...hello } = model.sent.at(-1);
  assert.equal(page, model.sent[0].page);
  assert.deepEqual(hello, { type: "hello", n: 1, plain: undefined });
});

test("a destroyed model leaves no timer", () => {
  const { clock, frame, destroy } = shown();
  frame(tool({ t0: clock.now / 1000 }));
  destroy();
  clock.pass(200);
  assert.equal(clock.pending, 0);
});

for (const event of ["comm:close", "comm_live_update"]) {
  test(`when the kernel is gone (${event}) the content stays, with a note, and no timer is left`, () => {
    const { clock, frame, model, $ } = shown();
    frame(["head", { state: "live", stoppable: true, title: "T" }], tool({ t0: clock.now / 1000 }));
    model.fire(event);
    clock.pass(200);
    assert.match($(".vibe-note").textContent, /kernel is gone/i);
    assert.equal($(".vibe-name").textContent, "search");
    assert.ok($("button").hidden);
    assert.equal(clock.pending, 0);
    frame(["head", { title: "back" }]);
    assert.ok($(".vibe-note").hidden);
    assert.ok(clock.pending > 0);
  });
}

test("a kernel that JupyterLab shows as dead, absent, or idle and yet silent, is gone", () => {
  for (const [kernel, after] of [
    [null, 2000],
    [{ status: "dead" }, 2000],
    [{ status: "idle" }, 30_000],
  ]) {
    const { clock, model, $ } = shown();
    model.widget_manager.kernel = kernel;
    clock.pass(after + 100);
    assert.ok(!$(".vibe-note").hidden);
    assert.equal(clock.pending, 0);
  }
  const { clock, model, $ } = shown();
  model.widget_manager.kernel = { status: "busy" };
  clock.pass(60_000);
  assert.ok($(".vibe-note").hidden);
});

test("a message that cannot be sent shows that the kernel is gone", (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  const { clock, frame, model, $ } = shown();
  frame(["head", { state: "live", stoppable: true }]);
  model.answer = () => {
    throw new Error("Kernel is dead");
  };
  $("button").click();
  clock.pass(100);
  assert.ok(!$(".vibe-note").hidden);
  assert.equal(warn.mock.callCount(), 1);
});

test("two models on a page are independent", () => {
  const clock = page();
  const [a, b] = [mount(), mount()];
  const views = [a.view(), b.view()];
  a.ops(["head", { title: "a" }]);
  b.ops(["head", { title: "b" }]);
  clock.pass(16);
  assert.deepEqual(
    views.map(({ $ }) => $(".vibe-title").textContent),
    ["a", "b"],
  );
});

test("all views of a page have one stylesheet, and those in a shadow root one of its own", () => {
  const { view } = shown();
  view();
  mount().view();
  const styles = [...document.querySelectorAll(".vibe-style")];
  assert.equal(styles.length, 1);
  const [text] = styles[0].childNodes;
  mount().view();
  assert.equal(styles[0].firstChild, text); // it was not set again
  const root = document.body.appendChild(document.createElement("div")).attachShadow({ mode: "open" });
  mount().view(root);
  assert.equal(root.querySelectorAll(".vibe-style").length, 1);
});

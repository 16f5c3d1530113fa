/** Test the box of a chat: its keys, what waits, and the draft. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOSTILE, shown } from "./fake.js";

const REST = { busy: false, queue: [], seen: [], back: null, refused: null };

/** Make a tab's storage. */
function storage() {
  const held = new Map();
  globalThis.sessionStorage = {
    getItem: (key) => held.get(key) ?? null,
    setItem: (key, text) => held.set(key, text),
    removeItem: (key) => held.delete(key),
  };
  return held;
}

/** Make a view with the box of a chat. */
function opened(chat = {}, mark = "m1") {
  const head = { title: "Talk", state: "live", mark, chat: { ...REST, ...chat } };
  const view = shown({ n: 1, head, parts: [] });
  const { el } = view;
  const { KeyboardEvent, Event } = el.ownerDocument.defaultView;
  const area = view.$("textarea");
  return {
    ...view,
    area,
    state: (news) => view.frame(["head", { chat: { ...REST, ...news } }]),
    write(text) {
      area.value = text;
      area.dispatchEvent(new Event("input"));
    },
    press(key, more = {}) {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
      area.dispatchEvent(event);
      return event;
    },
    rows: () =>
      [...el.querySelectorAll(".vibe-queue li")].map((row) =>
        [...row.children].map((e) => (e.hidden ? "" : e.textContent)),
      ),
  };
}

test("a view that is no chat has no box", () => {
  const { $ } = shown();
  assert.equal($("textarea"), null);
  assert.ok($(".vibe-chat").hidden);
});

test("Enter sends, and the message is shown as on its way until the kernel has it", () => {
  const { area, press, write, model, rows, state, $ } = opened();
  write("hello");
  assert.ok(press("Enter").defaultPrevented);
  const [{ id, text }] = model.sentOf("send");
  assert.deepEqual([text, area.value, rows()], ["hello", "", [["hello", "sending…", ""]]]);
  assert.equal(area.ownerDocument.activeElement, area);
  state({ queue: [[id, "hello"]], seen: [id] });
  assert.deepEqual(rows(), [["hello", "queued", "Take back"]]);
  assert.equal($(".vibe-heard").textContent, "Queued: 1 message waits.");
  state({ busy: true, seen: [id] });
  assert.deepEqual(rows(), []);
});

test("Shift+Enter, an Enter within a composition, and an empty text send nothing", () => {
  const { press, write, model } = opened();
  assert.ok(press("Enter").defaultPrevented); // no empty line either
  write("日本");
  assert.ok(!press("Enter", { isComposing: true }).defaultPrevented);
  assert.ok(!press("Enter", { keyCode: 229 }).defaultPrevented);
  assert.ok(!press("Enter", { shiftKey: true }).defaultPrevented);
  assert.deepEqual(model.sentOf("send"), []);
});

test("no key of the box reaches the page", () => {
  const { press, el, $ } = opened();
  const heard = [];
  const listen = (event) => heard.push(event.key);
  for (const name of ["keydown", "keyup", "keypress"]) el.addEventListener(name, listen);
  for (const key of ["d", "Enter", "Escape", "ArrowUp", "Tab"]) press(key);
  assert.deepEqual(heard, []);
  assert.equal($(".vibe-chat").getAttribute("data-lm-suppress-shortcuts"), "true");
});

test("a message that is taken back stands in the box before what was written meanwhile", () => {
  const { area, write, model, state, $ } = opened({ queue: [["q1", "the beginning of…"]], seen: ["q1"] });
  write("another");
  $(".vibe-back").click();
  assert.deepEqual(model.sentOf("take_back"), [{ type: "take_back", id: "q1" }]);
  assert.equal(area.value, "another");
  state({ back: ["q1", "the beginning of a text"] });
  assert.equal(area.value, "the beginning of a text\nanother");
  assert.equal($(".vibe-heard").textContent, "Taken back.");
});

test("a message whose turn has begun is not taken back", () => {
  const { area, state, $ } = opened({ queue: [["q1", "text"]], seen: ["q1"] });
  $(".vibe-back").click();
  state({ busy: true, back: ["q0", "an earlier one"] });
  assert.equal(area.value, "");
  assert.equal($(".vibe-heard").textContent, "Its turn has begun already.");
});

test("a refused message comes back with the reason", () => {
  const { area, press, write, model, state, rows, $ } = opened();
  write("hello");
  press("Enter");
  const [{ id }] = model.sentOf("send");
  state({ seen: [id], refused: [id, "This chat has ended."] });
  assert.deepEqual([area.value, rows(), $(".vibe-heard").textContent], ["hello", [], "This chat has ended."]);
});

test("a draft survives a reload of the page, and a sent one does not", () => {
  const held = storage();
  opened().write("half a tho");
  const again = opened();
  assert.equal(again.area.value, "half a tho");
  assert.equal(opened({}, "m2").area.value, "");
  again.press("Enter");
  assert.equal(held.size, 0);
  delete globalThis.sessionStorage;
});

test("without storage there is a box, and no draft", () => {
  globalThis.sessionStorage = {
    getItem() {
      throw new Error("denied");
    },
  };
  const { area, write } = opened();
  write("text");
  assert.equal(area.value, "text");
  delete globalThis.sessionStorage;
});

test("without a kernel the box says that nobody is there, and keeps the text that did not arrive", () => {
  const { area, press, write, model, rows, clock, el, $ } = opened({
    queue: [["q1", "waits"]],
    seen: ["q1"],
  });
  write("hello");
  press("Enter");
  model.fire("comm:close");
  clock.pass(100);
  assert.deepEqual([area.value, area.readOnly], ["hello", true]);
  assert.match($(".vibe-heard").textContent, /Nobody is there/);
  assert.deepEqual(rows(), [["waits", "queued", ""]]);
  assert.ok([...el.querySelectorAll(".vibe-chat form button")].every((one) => one.disabled));
  press("Enter");
  assert.equal(model.sentOf("send").length, 1);
});

test("the head says that the chat is ready, that a message waits, and that a turn runs", () => {
  const { state, $, frame, clock } = opened();
  const word = () => $(".vibe-head > .vibe-word").textContent;
  assert.equal(word(), "ready");
  state({ queue: [["q1", "text"]] });
  assert.equal(word(), "waiting");
  state({ busy: true });
  assert.equal(word(), "live");
  frame(["head", { stoppable: true }]);
  $(".vibe-stop").click();
  clock.pass(16);
  assert.equal($(".vibe-stop").textContent, "Stopping after this step…");
  frame(["head", { stoppable: false, stopping: false }]);
  frame(["head", { stoppable: true }]);
  assert.equal($(".vibe-stop").textContent, "Stop");
});

test("an agent at work takes messages: pending, taken, or refused and back in the box", () => {
  const { frame, $, el, clock, model } = shown({ n: 1, head: { title: "Run", state: "live" }, parts: [] });
  const rows = () => [...el.querySelectorAll(".vibe-queue li span")].map((e) => e.textContent);
  const state = (sent, can = true) => frame(["head", { steer: { can, sent } }]);
  assert.ok($(".vibe-chat").hidden);
  state([]);
  const area = $("textarea");
  const buttons = [...el.querySelectorAll(".vibe-chat form button")].filter((one) => !one.hidden);
  assert.deepEqual(
    [buttons.map((one) => one.textContent), area.getAttribute("aria-label")],
    [["Steer"], "Message to Run"],
  );
  const steer = (text) => {
    area.value = text;
    $(".vibe-steer").click();
    clock.pass(16);
    return model.sentOf("steer").at(-1).id;
  };
  const first = steer("shorter");
  assert.deepEqual(rows(), ["sending…"]);
  state([[first, "shorter", "pending", null]]);
  assert.deepEqual([rows(), $(".vibe-heard").textContent], [["pending"], "The agent has not taken it yet."]);
  state([[first, "shorter", "taken", null]]);
  assert.deepEqual([rows(), $(".vibe-heard").textContent, area.value], [[], "The agent has taken it.", ""]);
  const second = steer("longer");
  state([[second, "longer", "pending", null]]);
  state([[second, "longer", "refused", "It is over."]], false);
  assert.deepEqual([area.value, $(".vibe-heard").textContent], ["longer", "Not taken: It is over."]);
  assert.ok($(".vibe-steer").hidden);
});

test("a chat whose turn takes messages has a second button, and Enter still sends", () => {
  const { frame, write, press, model, $ } = opened({ busy: true });
  assert.ok($(".vibe-steer").hidden);
  frame(["head", { steer: { can: true, sent: [] } }]);
  write("next");
  press("Enter");
  write("now");
  $(".vibe-steer").click();
  assert.deepEqual(
    model.sent.filter(({ text }) => text).map(({ type, text }) => [type, text]),
    [
      ["send", "next"],
      ["steer", "now"],
    ],
  );
});

test("hostile words of a message are a text", () => {
  const { rows, el } = opened({ queue: HOSTILE.map((text, i) => [`q${i}`, text]) });
  assert.equal(rows().length, HOSTILE.length);
  assert.equal(el.querySelectorAll(".vibe-queue :is(img, script, svg)").length, 0);
});

test("an ended chat has no box", () => {
  const { frame, $ } = opened();
  $(".vibe-close").click();
  frame(["head", { state: "ended" }]);
  assert.ok($(".vibe-chat").hidden);
});

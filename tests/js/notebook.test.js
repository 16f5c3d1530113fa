import assert from "node:assert/strict";
import { test } from "node:test";
import { mount, page } from "./fake.js";

const WIDGET = "application/vnd.jupyter.widget-view+json";
const html = (count) => ({
  "text/html": `<div class="vibe-interim-m vibe-saved-${count}">form ${count}</div>`,
});

/** Make JupyterLab's outputs of a cell, as a widget's manager reaches them. */
function outputsOf(...datas) {
  const all = datas.map((data) => ({ data }));
  return {
    all,
    get length() {
      return all.length;
    },
    get: (i) => all[i],
    set: (i, output) => {
      all[i] = output;
    },
    add: (output) => all.push(output),
  };
}

/** Mount a view in a notebook with these outputs. */
function notebook(head, ...datas) {
  const clock = page();
  const outputs = outputsOf(...datas);
  const made = mount({ n: 0, head: { state: "live", mark: "m", ...head }, parts: [] });
  made.model.widget_manager = {
    context: { model: { cells: [{}, { outputs: outputsOf({}) }, { outputs }] } },
  };
  const view = made.view();
  let n = 0;
  const ops = (...list) => made.model.receive({ n: ++n, ops: list });
  return { clock, outputs, model: made.model, ops, ...view };
}

const shown = (outputs) => outputs.all.map(({ data }) => data["text/html"] ?? Object.keys(data).join());

test("a page that shows the kernel's displays asks for no form", () => {
  const { clock, model, outputs, ops } = notebook({}, { [WIDGET]: { model_id: "m" } });
  ops(["head", { saved: 1 }]);
  outputs.add({ data: html(1) });
  clock.pass(2000);
  ops(["head", { saved: 2 }]);
  outputs.set(1, { data: html(2) });
  clock.pass(2000);
  ops(["head", { state: "ended" }]);
  outputs.set(1, { data: {} });
  outputs.set(0, { data: { "text/html": "all" } });
  clock.pass(10_000);
  assert.deepEqual(model.sentOf("form"), []);
});

test("a page that has lost the displays puts each form into the notebook, and the last one in the view's place", () => {
  const { clock, model, outputs, ops } = notebook({}, { [WIDGET]: { model_id: "m" } }, { "text/plain": "x" });
  ops(["head", { saved: 4 }]);
  clock.pass(1000);
  assert.deepEqual(model.sentOf("form"), []);
  clock.pass(1000);
  assert.deepEqual(model.sentOf("form"), [{ type: "form" }]);
  ops(["form", html(4)]);
  assert.deepEqual(shown(outputs), [WIDGET, "text/plain", html(4)["text/html"]]);
  ops(["head", { saved: 5 }]);
  clock.pass(2000);
  ops(["form", html(5)]);
  assert.deepEqual(shown(outputs), [WIDGET, "text/plain", html(5)["text/html"]]);
  ops(["head", { state: "ended" }]);
  clock.pass(2000);
  ops(["form", { "text/html": "all" }]);
  assert.deepEqual(shown(outputs), ["all", "text/plain", ""]);
  assert.equal(model.sentOf("form").length, 3);
});

test("a page that is opened after the end puts the final form into the notebook", () => {
  const { clock, model, outputs, ops } = notebook(
    { state: "ended", saved: 3 },
    { [WIDGET]: { model_id: "m" } },
  );
  clock.pass(2000);
  assert.deepEqual(model.sentOf("form"), [{ type: "form" }]);
  ops(["form", { "text/html": "all" }]);
  assert.deepEqual(shown(outputs), ["all"]);
});

test("a form that nobody needs, a notebook without the view, and a host without a notebook change nothing", () => {
  const other = notebook({ saved: 1 }, { [WIDGET]: { model_id: "other" } });
  other.ops(["form", html(1)]);
  other.clock.pass(5000);
  assert.deepEqual([shown(other.outputs), other.model.sentOf("form")], [[WIDGET], []]);
  const { ops, clock, model } = notebook({ saved: 1 });
  model.widget_manager = undefined;
  ops(["form", html(1)]);
  clock.pass(5000);
  assert.deepEqual(model.sentOf("form"), []);
});

test("the form of the moment is hidden as long as a view shows the same agents", () => {
  const { unmount } = notebook({}, { [WIDGET]: { model_id: "m" } });
  const rules = () => [...document.head.querySelectorAll("style")].map((style) => style.textContent);
  assert.ok(rules().some((rule) => rule.startsWith(".vibe-interim-m,")));
  unmount();
  assert.ok(!rules().some((rule) => rule.startsWith(".vibe-interim-m,")));
});

test("once the kernel is gone, the notebook gets a copy of what the page shows, its calls closed but not lost", () => {
  const { clock, model, outputs, ops } = notebook({}, { [WIDGET]: { model_id: "m" } }, { data: {} });
  ops(
    ["head", { title: "agent <i>" }],
    ["add", 1, "text", 0, 0, {}],
    ["b", 1, "<p>Hello <strong>world</strong></p>"],
    ["add", 2, "tool", 0, 1, { name: "search", state: "running" }],
    ["txt", 2, "args", 0, '{"q": "<script>"}'],
  );
  model.fire("comm_live_update");
  clock.pass(2000);
  const copy = outputs.all[2].data;
  document.body.innerHTML = copy["text/html"];
  assert.equal(document.querySelector(".vibe-interim-m .vibe-text strong").textContent, "world");
  const call = document.querySelector("details");
  assert.equal(call.querySelector("summary code").textContent, "search");
  assert.equal(call.querySelector("pre").textContent, '{"q": "<script>"}');
  assert.deepEqual(
    [...document.querySelectorAll("button, script, [hidden], [role=button]")].map((el) => el.tagName),
    [],
  );
  const text = copy["text/plain"];
  for (const words of ["agent <i>", "Hello world", "search", '{"q": "<script>"}', "kernel"])
    assert.ok(text.includes(words), words);
  assert.deepEqual(model.sentOf("form"), []);
});

test("a view that has ended before its kernel went is not copied", () => {
  const { clock, model, outputs } = notebook({ state: "ended" }, { [WIDGET]: { model_id: "other" } });
  model.fire("comm_live_update");
  clock.pass(2000);
  assert.equal(outputs.length, 1);
});

/** Test how a request is asked and answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOSTILE, shown, tool } from "./fake.js";

const APPROVAL = { id: "r1", kind: "approval", fields: [] };
const field = (name, kind, more = {}) => ({
  name,
  label: name,
  kind,
  required: true,
  about: "",
  choices: [],
  default: null,
  secret: false,
  ...more,
});
const asked = (ask) => tool({ state: "awaiting_approval", request: "<p>May I?</p>", ask });

test("a click answers once, and the buttons wait for the kernel", () => {
  const { frame, model, $, el } = shown();
  frame(asked(APPROVAL));
  const [yes, no] = el.querySelectorAll(".vibe-answer");
  assert.deepEqual([yes.textContent, no.textContent], ["Approve", "Decline"]);
  $(".vibe-reason").value = " because ";
  no.click();
  yes.click();
  assert.deepEqual(model.sentOf("answer"), [
    { type: "answer", request_id: "r1", action: "decline", value: null, reason: "because" },
  ]);
  frame(["set", "t", { ask: null, request: "<p>declined</p>" }]);
  assert.ok($(".vibe-ask").hidden);
  assert.equal(el.querySelectorAll(".vibe-answer").length, 0);
});

test("each kind of field is read as its kind, and what does not fit is said and not sent", () => {
  const { frame, model, $, el } = shown();
  const choices = [
    [1, "one"],
    [null, "none"],
  ];
  const fields = [
    field("t", "text"),
    field("n", "integer"),
    field("b", "boolean"),
    field("c", "choice", { choices }),
    field("j", "json"),
  ];
  frame(asked({ id: "r2", kind: "question", fields }));
  const form = $(".vibe-ask form");
  const [t, n, b, c, j] = form.querySelectorAll("input, select, textarea");
  const submit = () =>
    form.dispatchEvent(new el.ownerDocument.defaultView.Event("submit", { cancelable: true }));
  submit();
  assert.equal($(".vibe-refused").textContent, "t: an answer is needed.");
  [t.value, n.value, b.checked, c.selectedIndex, j.value] = ["x", "7", true, 2, "{"];
  submit();
  assert.equal($(".vibe-refused").textContent, "j: this is no JSON.");
  assert.deepEqual(model.sentOf("answer"), []);
  j.value = "[1]";
  submit();
  assert.deepEqual(model.sentOf("answer").at(-1).value, { t: "x", n: 7, b: true, c: null, j: [1] });
  frame(["set", "t", { ask: { id: "r2", kind: "question", fields, refused: "n: at most 5.", tries: 1 } }]);
  assert.equal($(".vibe-refused").textContent, "n: at most 5.");
  assert.equal(t.value, "x");
  assert.ok(!t.disabled);
});

test("the words of a form are text, whatever they are", () => {
  const { frame, el } = shown();
  const choices = [[HOSTILE, HOSTILE]];
  frame(
    asked({
      id: "r3",
      kind: "question",
      fields: [field(HOSTILE, "text", { about: HOSTILE }), field("c", "choice", { choices })],
    }),
  );
  assert.equal(el.querySelectorAll(".vibe-ask :is(script, img, iframe, a)").length, 0);
});

test("nothing is asked of a page whose kernel is gone or whose run has ended", () => {
  const { frame, el, $ } = shown();
  frame(asked(APPROVAL), ["head", { state: "ended" }], ["set", "t", { progress: 1 }]);
  assert.equal(el.querySelectorAll(".vibe-answer").length, 0);
  assert.equal($(".vibe-ask"), null);
});

test("a key in a field does not reach the notebook", () => {
  const { frame, el, $ } = shown();
  let heard = 0;
  el.addEventListener("keydown", () => heard++);
  frame(asked(APPROVAL));
  $(".vibe-reason").dispatchEvent(
    new el.ownerDocument.defaultView.KeyboardEvent("keydown", { key: "a", bubbles: true }),
  );
  assert.equal(heard, 0);
});

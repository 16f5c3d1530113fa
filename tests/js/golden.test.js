/** Feed the front end the messages that a real view sent (tests/golden_wire.json), plain and packed. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inside, mount, page } from "./fake.js";

const GOLDEN = JSON.parse(readFileSync(new URL("../golden_wire.json", import.meta.url), "utf8"));

/** Make a view with the messages; `shown()` returns its HTML once it is *expected*, or no longer changes. */
function given(clock, messages, snapshot) {
  const { model, view } = mount(snapshot);
  model.answer = ({ type, n }) => type === "hello" && model.receive({ n, ops: [] });
  const { el, unmount } = view();
  for (const message of messages) model.receive(message);
  return {
    async shown(expected) {
      // Node inflates on another thread. A live view asks after 2 s of silence, so no more than 1 s passes.
      for (let i = 0; i < 1000 && inside(el) !== expected; i++) {
        await sleep(1);
        clock.pass(1);
      }
      const html = inside(el);
      unmount();
      return html;
    },
    resyncs: () => model.sentOf("resync"),
  };
}

for (const [name, { messages, packed, whole }] of Object.entries(GOLDEN)) {
  test(`the recorded messages of ${name} build the view of the whole state`, async () => {
    const clock = page();
    const { el, unmount } = mount(whole).view();
    clock.pass(100);
    const expected = inside(el);
    assert.ok(el.textContent.length > 0);
    unmount();
    for (const form of [messages, packed]) {
      const view = given(clock, [...form, { n: whole.n + 1, ops: [["head", whole.head]] }]);
      assert.equal(await view.shown(expected), expected);
      assert.deepEqual(view.resyncs(), []);
    }
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { KINDS } from "../../vibe_notebook/display/frontend/parts.js";
import { TEMPLATES } from "../../vibe_notebook/display/frontend/templates.js";
import { shown } from "./fake.js";

for (const kind of Object.keys(KINDS).filter((kind) => kind !== "root")) {
  test(`a part of the kind ${kind} is drawn from its template, and updated`, () => {
    const { frame, el, model } = shown();
    frame(["add", "p", kind, 0, 0, {}]);
    const template = document.createElement("template");
    template.innerHTML = TEMPLATES[kind];
    const { className } = template.content.firstChild;
    assert.match(className, /^vibe-/);
    assert.equal(el.querySelectorAll(`.vibe-parts .${className}`).length, 1);
    frame(["set", "p", { state: "error", done: true, name: "named", url: "https://example.org/" }]);
    frame(["del", "p"]);
    assert.equal(el.querySelector(`.vibe-parts .${className}`), null);
    assert.deepEqual(model.sentOf("resync"), []);
  });
}

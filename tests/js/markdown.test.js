// The Markdown form of hostile texts, read by marked: JupyterLab and VS Code use it, and it lets HTML and any address
// through. The texts and the checks by other viewers are in tests/forms.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { JSDOM } from "jsdom";
import { marked } from "marked";

const ELEMENTS = new Set(
  (
    "A BLOCKQUOTE BODY BR CODE DEL EM H1 H2 H3 H4 H5 H6 HEAD HR HTML IMG INPUT LI OL P PRE STRONG " +
    "TABLE TBODY TD TH THEAD TR UL"
  ).split(" "),
);
const ATTRIBUTES = /^(align|alt|checked|class|disabled|href|src|start|title|type)$/;

test("marked finds no script, handler, foreign element, remote image or odd link in any Markdown form", () => {
  const python = process.env.VIBE_PYTHON ?? "python";
  const options = { maxBuffer: 2 ** 28, encoding: "utf8" };
  const forms = JSON.parse(execFileSync(python, ["-m", "tests.forms.hostile_markdown"], options));
  assert.ok(forms.length > 300);
  for (const form of forms) {
    const { document } = new JSDOM(marked.parse(form)).window;
    for (const el of document.querySelectorAll("*")) {
      assert.ok(ELEMENTS.has(el.nodeName), `<${el.nodeName}> in ${form}`);
      for (const { name, value } of el.attributes) {
        assert.match(name, ATTRIBUTES, form);
        if (name === "href") assert.match(value, /^(https?:\/\/|mailto:)/i, form);
        if (name === "src") assert.match(value, /^data:image\/(png|jpeg|gif|webp);base64,/i, form);
      }
    }
  }
});

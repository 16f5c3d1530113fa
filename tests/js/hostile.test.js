import assert from "node:assert/strict";
import { test } from "node:test";
import { HOSTILE, shown } from "./fake.js";

test("hostile text in any field is text", () => {
  const props = (text) => ({
    title: text,
    error: text,
    note: text,
    usage: text,
    outcome: text,
    name: text,
    preview: text,
    message: text,
    state: text,
    progress: text,
    action: text,
    media_type: text,
    size: text,
    url: text,
    src: text,
  });
  const show = (text) => {
    const { frame, el, clock } = shown();
    frame(["head", props(text)]);
    for (const [i, kind] of ["text", "thinking", "tool", "artifact", "run"].entries()) {
      const key = `${text}${i}`;
      frame(["add", key, kind, 0, i, props(text)]);
      for (const field of ["args", "output", "text"]) frame(["txt", key, field, 0, text]);
      if (kind === "text") frame(["o", key, "<p>a</p>"], ["a", key, text]);
      if (kind === "tool") frame(["set", key, { state: "running" }]);
    }
    clock.pass(100);
    return el;
  };
  const shape = (el) =>
    [...el.querySelectorAll("*")].map((e) => `${e.tagName} ${[...e.attributes].map((a) => a.name).sort()}`);
  const plain = shape(show("plain"));
  for (const text of HOSTILE) {
    const el = show(text);
    assert.deepEqual(shape(el), plain, text);
    for (const name of ["title", "name", "preview", "note", "thought"]) {
      assert.equal(el.querySelector(`.vibe-${name}`).textContent, text);
    }
    for (const name of ["title", "name", "preview"])
      assert.equal(el.querySelector(`.vibe-${name}`).tagName, "BDI");
  }
});

test("an artifact links only to http and https, and shows only raster images whose data it has", () => {
  const { frame, $ } = shown();
  frame(["add", "a", "artifact", 0, 0, { name: "plot", size: 20480, media_type: "image/png" }]);
  assert.equal($(".vibe-facts").textContent, "image/png · 20 kB");
  for (const [url, href] of [
    ["https://example.org/a", true],
    ["HTTP://example.org", true],
    ["javascript:alert(1)", false],
    [" javascript:1", false],
    ["data:text/html,x", false],
    ["//example.org", false],
    [null, false],
  ]) {
    frame(["set", "a", { url }]);
    assert.equal($("a").hasAttribute("href"), href, url);
  }
  assert.equal($("a").rel, "noopener noreferrer");
  let number = 0;
  for (const [src, image] of [
    ["data:image/png;base64,AA==", true],
    ["data:image/svg+xml,<svg/>", false],
    ["https://example.org/a.png", false],
    ["data:image/webp;base64,AA==", true],
    ["javascript:1", false],
  ]) {
    frame(["blob", ++number, src], ["set", "a", { src: number }]);
    assert.equal($("img") !== null, image, src);
  }
  frame(["set", "a", { src: null }]);
  assert.equal($("img"), null);
});

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { BUNDLE, bundle } from "../../tools/frontend.js";

test("the committed bundle equals a bundle of the sources and the stylesheet: `make frontend` makes it", async () => {
  const [committed, made] = await Promise.all([readFile(BUNDLE, "utf8"), bundle()]);
  // Not assert.equal, which would print both.
  assert.ok(committed === made, "static/widget.js is not what frontend/ makes. Run: make frontend");
});

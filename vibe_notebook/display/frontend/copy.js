/** Copy a view for the notebook file: without a kernel nobody else can say what the page has shown. */

/**
 * Make a disclosure of the browser's own of each disclosure of the view's own: it opens without a script.
 * @param {HTMLElement} el
 */
function toDetails(el) {
  const summary = el.querySelector(":scope > .vibe-fold");
  const body = el.querySelector(":scope > .vibe-body");
  if (!summary || !body) return;
  const line = document.createElement("summary");
  line.append(...summary.childNodes);
  const details = document.createElement("details");
  details.append(line, ...body.childNodes);
  el.replaceChildren(details);
}

/** Return an element's text, with a space between the pieces of a line. @param {Element} el */
const wordsOf = (el) =>
  el.querySelector("bdi")
    ? [...el.querySelectorAll("span, bdi")]
        .map((piece) => piece.textContent)
        .join(" ")
        .trim()
    : el.textContent;

/**
 * Return the forms of a view's element, in HTML and text.
 * @param {HTMLElement} el
 * @param {string} mark
 */
export function copyOf(el, mark) {
  const copy = /** @type {HTMLElement} */ (el.cloneNode(true));
  for (const useless of copy.querySelectorAll("button, .vibe-net, [hidden]:not(.vibe-body)"))
    useless.remove();
  for (const fold of copy.querySelectorAll(".vibe-tool, .vibe-thinking")) {
    toDetails(/** @type {HTMLElement} */ (fold));
  }
  copy.classList.remove("vibe", "vibe-live"); // it is no live view
  const lines = copy.querySelectorAll(
    ".vibe-head, .vibe-text > *, summary, .vibe-thought, pre, .vibe-artifact, .vibe-error, .vibe-note",
  );
  return {
    "text/plain": [...lines].map(wordsOf).join("\n"),
    "text/html": `<div class="vibe-interim-${mark}">${copy.outerHTML}</div>`,
  };
}

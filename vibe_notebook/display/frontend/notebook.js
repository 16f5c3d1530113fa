/**
 * Keep the notebook's own outputs current where the page ignores the kernel's displays: a page that was reloaded has
 * forgotten their ids, and would save the notebook as it was at the reload. Only JupyterLab and Notebook let a widget
 * reach the notebook; elsewhere nothing here does anything.
 */

/** Milliseconds that the page has for a display before its form counts as missing. */
export const PATIENCE = 1500;
/** The form of the moment after the end. */
const NOTHING = { "text/plain": "", "text/html": "" };
const WIDGET = "application/vnd.jupyter.widget-view+json";

/**
 * Hide the form of the moment while a live view shows the same agents.
 * @param {string | undefined} mark
 * @returns a function that shows the form again
 */
export function hideInterim(mark) {
  if (!mark) return () => {};
  const style = document.createElement("style");
  const form = `.vibe-interim-${mark}`;
  style.textContent = `${form},.jp-OutputArea-child:has(${form}){display:none}`;
  document.head.append(style);
  return () => style.remove();
}

/** Milliseconds after news of a form at which the page may have rendered it. */
export const RENDERED = [0, 100, 400];

/**
 * Empty the page's rendering of the form of the moment: the page's search, and a screen reader, find each text once. The
 * notebook itself keeps the form.
 * @param {string | undefined} mark
 */
export function emptyInterim(mark) {
  if (mark) for (const el of document.querySelectorAll(`.vibe-interim-${mark}`)) el.replaceChildren();
}

/**
 * Find the outputs of one live view.
 * @param {any} manager the host's widget manager
 * @param {string} mark
 */
function find(manager, mark) {
  for (const cell of (mark && manager?.context?.model?.cells) || []) {
    const { outputs } = cell;
    const all = Array.from({ length: outputs?.length ?? 0 }, (_, i) => outputs.get(i).data ?? {});
    const widget = all.findIndex((data) => data[WIDGET]?.model_id === mark);
    if (widget < 0) continue;
    const interim = all.findIndex((data) => String(data["text/html"]).includes(`vibe-interim-${mark}`));
    return { outputs, widget, interim, html: interim < 0 ? "" : String(all[interim]["text/html"]) };
  }
}

/**
 * Tell whether the notebook lacks the kernel's last form.
 * @param {any} manager
 * @param {Record<string, any>} head the view's properties
 */
export function isStale(manager, { mark, saved, state }) {
  const found = find(manager, mark);
  if (!found) return false;
  return state === "ended" || (saved > 0 && !found.html.includes(`vibe-saved-${saved}"`));
}

/**
 * Put a form into the notebook: beside the live view, or in its place once the agents have ended.
 * @param {any} manager
 * @param {Record<string, any>} head
 * @param {Record<string, string>} form
 */
export function save(manager, { mark, state }, form) {
  const found = find(manager, mark);
  if (!found) return;
  const { outputs, widget, interim } = found;
  /** @param {number} index @param {Record<string, string>} data */
  const put = (index, data) => outputs.set(index, { output_type: "display_data", data, metadata: {} });
  if (state === "ended") {
    if (interim >= 0) put(interim, NOTHING);
    put(widget, form);
  } else if (interim >= 0) put(interim, form);
  else outputs.add({ output_type: "display_data", data: form, metadata: {} });
}

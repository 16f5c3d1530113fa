/**
 * Build and update the elements of each kind of part.
 *
 * @import { Kind, Part } from "./values.js"
 *
 * @typedef {object} PartsStore The part of a store that parts use
 * @property {Map<number, boolean>} chosen what the user opened and closed, by key
 * @property {(part: Part, open: boolean) => void} toggle
 * @property {() => boolean} live
 * @property {() => boolean} gone
 * @property {() => boolean} stopping
 * @property {(number: number) => string} blob
 * @property {(part: Part, field: string) => void} showAll
 * @property {() => void} stop
 * @property {import("./ask.js").Send} answer
 * @property {() => void} reconnect
 * @property {Part} root
 * @property {(message: object) => void} say
 *
 * @typedef {object} PartsView The part of a view that parts use
 * @property {Element[]} scrolls elements to scroll to their end after the draw
 * @property {Set<Element>} rows elements whose width changed
 * @property {() => void} measure
 *
 * @typedef {Record<string, any>} Elements elements of a template, by class without prefix
 * @typedef {(el: HTMLElement, at: Elements, part: Part, store: PartsStore, view: PartsView) => () => void} Build
 *   Prepares a part's element and returns the function that updates the element
 */
import { asking } from "./ask.js";
import { chatting } from "./chat.js";
import { card, div, growing, loadLazily, message, rich, show } from "./dom.js";
import { createText } from "./text.js";
import { fieldOf } from "./values.js";
import { counted, dotted, KERNEL_GONE, moreWords, STOPPING, stateWords, WAITING } from "./wording.js";

/**
 * Make a disclosure, in which the user's choice has precedence over the kernel's.
 * @param {Elements} at
 * @param {Part} part
 * @param {PartsStore} store
 * @param {PartsView} view
 * @returns a function that applies the kernel's choice
 */
function createFold({ summary, body }, part, store, view) {
  let isOpen = false;
  /** @param {boolean} open */
  function fold(open) {
    isOpen = open;
    body.hidden = !open;
    summary.setAttribute("aria-expanded", String(open));
    // Rows inside have a width now.
    for (const row of body.querySelectorAll(".vibe-row")) view.rows.add(row);
  }
  fold(false);
  summary.onclick = () => {
    fold(!isOpen);
    view.measure(); // the view does not scroll to an opened part
    store.toggle(part, isOpen);
  };
  summary.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (!event.repeat) summary.click();
  };
  return (/** @type {boolean} */ preset) => {
    const open = store.chosen.get(part.key) ?? preset;
    if (open !== isOpen) fold(open);
  };
}

/** @param {any} usage */
function usageWords(usage) {
  if (!usage || typeof usage === "string") return usage;
  const { model, input_tokens, output_tokens, estimate, cost, context, window } = usage;
  return dotted(
    model,
    counted(input_tokens, "in"),
    counted(output_tokens, "out"),
    estimate && `≈${counted(estimate, "tokens")}`,
    cost && `${usage.is_partial ? "≥" : ""}$${Number(cost).toFixed(4)}`,
    window && `${Math.round((context / window) * 100)} % of context`,
  );
}

/** Say what the numbers are: the exact context, and the table of the prices. @param {any} usage */
function usageTitle(usage) {
  const { context, window, prices, cost, is_partial } = usage ?? {};
  return (
    dotted(
      window && `${context.toLocaleString()} of ${window.toLocaleString()} tokens of context`,
      cost && prices && `prices: ${prices}`,
      cost && is_partial && "some calls have no price",
    ) ?? ""
  );
}

/**
 * Return the state of a live view: "live" is said only of a connection that stands.
 * @param {[string, string][] | undefined} connections
 */
const linkState = (connections) =>
  connections?.every(([state]) => state !== "live" && state !== "ended")
    ? (connections[0]?.[0] ?? "live")
    : "live";

/** Make the line of one remote connection. @param {[string, string]} connection */
function connectionLine([state, text]) {
  const line = div();
  line.dataset.state = state;
  line.textContent = text;
  return line;
}

/** @type {Build} */
function createRoot(el, at, part, store) {
  at.stop.onclick = store.stop;
  at.reconnect.onclick = store.reconnect;
  at.word.role = "status";
  let lines = "";
  const showError = message(at.error);
  const showNote = message(at.note);
  const showChat = chatting(at.chat, store);
  return () => {
    const { title, outcome, error, usage, note, stoppable, stopping, connection, chat } = part.props;
    const state = store.live() ? (store.gone() ? "disconnected" : "live") : (outcome ?? "ended");
    const rest = chat && !chat.busy && state === "live" && (chat.queue.length ? "waiting" : "ready");
    el.dataset.state = rest || state;
    show(at.title, title);
    el.ariaLabel = title;
    const isWaiting = state === "live" && part.props.waiting > 0;
    el.classList.toggle("vibe-waits", isWaiting);
    show(at.word, isWaiting ? WAITING : rest || stateWords(state === "live" ? linkState(connection) : state));
    show(at.steps, part.props.plan);
    show(at.usage, usageWords(usage));
    const words = usageTitle(usage);
    if (words !== at.usage.title) at.usage.title = words;
    at.stop.disabled = stopping || store.stopping();
    show(at.stop, at.stop.disabled ? STOPPING : "Stop");
    at.stop.hidden = !stoppable || state !== "live";
    const newLines = JSON.stringify(connection ?? []);
    // A screen reader reads the lines anew when they are replaced.
    if (newLines !== lines) {
      lines = newLines;
      at.lines.replaceChildren(...(connection ?? []).map(connectionLine));
    }
    at.net.hidden = !connection?.length;
    at.reconnect.hidden = state !== "live";
    showError(error);
    showNote(dotted(note, state === "disconnected" && KERNEL_GONE));
    showChat();
  };
}

/** @type {Build} */
function createThinking(el, at, part, store, view) {
  const fold = createFold(at, part, store, view);
  const grow = growing(at.thought, view.scrolls);
  return () => {
    const { open, done, took } = part.props;
    el.dataset.state = done ? "done" : "running";
    show(at.summary, done ? (took ? `Thought for ${took}` : "Thought") : "Thinking…");
    grow(fieldOf(part, "text"));
    fold(open ?? !done);
  };
}

/**
 * Show one field of a call: its text, which may grow, its own form, and all of a long text once the reader asks.
 * @param {Elements} at
 * @param {string} name
 * @param {Part} part
 * @param {PartsStore} store
 * @param {PartsView} view
 */
function createField(at, name, part, store, view) {
  const [box, pre, more] = [at[name], at[`${name}-text`], at[`${name}-more`]];
  const grow = growing(pre, view.scrolls);
  const showRich = rich(at[`${name}-rich`], store.blob);
  more.onclick = () => store.showAll(part, name);
  return () => {
    const whole = part.wholes.get(name);
    const field = fieldOf(part, name);
    const length = part.props[`whole_${name}`];
    const html = part.props[`rich_${name}`];
    grow(whole?.at ? whole.text : field);
    showRich(html);
    pre.hidden = !field.length && !whole?.at;
    box.hidden = pre.hidden && !html && !length;
    more.disabled = store.gone() || !!whole?.asks;
    const [at, size] = [whole?.at ?? 0, whole?.size || length];
    show(more, (at < size || whole?.asks) && moreWords(at, size, store.gone(), !!whole?.asks));
  };
}

/** @type {Build} */
function createTool(el, at, part, store, view) {
  const fold = createFold(at, part, store, view);
  const showArgs = createField(at, "args", part, store, view);
  const showOutput = createField(at, "output", part, store, view);
  const showError = message(at.error.lastChild);
  const showRequest = card(at.request);
  const showAsk = asking(at.request, store.answer);
  return () => {
    const { name, state, preview, progress, total, error, open, opens, wide } = part.props;
    const isBusy = /^(preparing|running|awaiting_approval)$/.test(state);
    el.dataset.state = state ?? "";
    show(at.name, name);
    show(at.preview, preview);
    show(at.word, state === "ok" ? (part.props.exit ?? "") : stateWords(state));
    show(at.progress, isBusy && dotted(total ? `${progress ?? 0}/${total}` : progress, part.props.message));
    at.bar.hidden = !isBusy || !(total > 0);
    at.bar.firstChild.style.width = `${Math.min(Math.max((100 * progress) / total || 0, 0), 100)}%`;
    at.output.classList.toggle("vibe-wide", !!wide);
    showArgs();
    showOutput();
    showError(error);
    at.error.hidden = !error;
    showRequest(part.props.request);
    at.request.hidden = !part.props.request;
    showAsk(store.live() ? part.props.ask : undefined, store.gone());
    fold(open ?? (!!opens || (state === "awaiting_approval" && !!part.props.request)));
    view.rows.add(at.row);
  };
}

/** @param {number | undefined} bytes */
const sizeWords = (bytes) =>
  bytes && bytes > 999 ? counted(Math.round(bytes / 1000), "kB") : counted(bytes, "B");

/** @type {Build} */
function createArtifact(el, at, part, store) {
  const { link, name, facts } = at;
  const image = document.createElement("img");
  loadLazily(image);
  const showRich = rich(at.rich, store.blob);
  let shown = 0;
  return () => {
    const { action, media_type, url, src, size } = part.props;
    image.alt = String(part.props.name || "artifact");
    // A display without a name is no file.
    el.classList.toggle("vibe-bare", part.props.name === "");
    show(name, part.props.name === "" ? "" : image.alt);
    show(facts, dotted(action !== "created" && action, media_type, sizeWords(size)));
    // The address is the agent's: a click must not run a script, and the page must not fetch anything.
    if (/^https?:\/\//i.test(url)) link.href = url;
    else link.removeAttribute("href");
    showRich(part.props.rich);
    if ((src ?? 0) === shown) return;
    shown = src ?? 0;
    const address = shown ? store.blob(shown) : "";
    if (!/^data:image\/(png|jpeg|gif|webp)[;,]/i.test(address)) {
      image.remove();
      return;
    }
    image.src = address;
    if (!image.parentNode) el.insertBefore(image, at.rich);
  };
}

/** @type {Build} */
function createCard(el, _, part, store) {
  const html = div();
  el.append(html);
  const showHtml = card(html);
  const showAsk = asking(html, store.answer);
  return () => {
    showHtml(part.props.html);
    showAsk(store.live() ? part.props.ask : undefined, store.gone());
  };
}

/** @type {Build} */
function createRun(el, { name, word }, part) {
  return () => {
    el.dataset.state = part.props.state ?? "";
    show(name, part.props.name);
    show(word, stateWords(part.props.state));
  };
}

/**
 * The only place that distinguishes kinds. A kind of the kernel that is missing here fails a test
 * (tests/display/test_widget.py).
 * @type {Record<Kind, Build>}
 */
export const KINDS = {
  root: createRoot,
  text: (el, _, part) => createText(el, part),
  thinking: createThinking,
  tool: createTool,
  artifact: createArtifact,
  run: createRun,
  card: createCard,
};

/**
 * Offer the box of a chat, or of an agent that takes messages while it works, and show the messages that wait.
 *
 * The kernel has the queue; this page has only what it cannot know yet: the text that is being written, and messages
 * that have not arrived. A draft is kept in the tab's own storage, so that it needs no kernel, and no other page sees it.
 *
 * @typedef {object} Chat The kernel's state of a chat
 * @property {boolean} busy a turn runs
 * @property {[string, string][]} queue id and beginning of each message that waits for its turn
 * @property {string[]} seen ids of the newest messages that have arrived
 * @property {[string, string] | null} back id and text of the message that was taken back last
 * @property {[string, string] | null} refused id of the message that was refused last, and the reason
 *
 * @typedef {object} Steering The kernel's state of an agent that works
 * @property {boolean} can the agent takes messages now
 * @property {[string, string, "pending" | "taken" | "refused", string | null][]} sent id, beginning, state and reason of
 *   each message
 *
 * @typedef {object} ChatStore The part of a store that the box uses
 * @property {import("./values.js").Part} root
 * @property {() => boolean} live
 * @property {() => boolean} gone
 * @property {(message: object) => void} say sends a message to the kernel
 */
import { div, show } from "./dom.js";
import { NOBODY, STEER_WORDS, waitingWords } from "./wording.js";

/** @param {string} words @param {string} name @param {() => void} [click] */
function button(words, name, click) {
  const made = document.createElement("button");
  made.type = click ? "button" : "submit";
  made.className = `vibe-answer ${name}`;
  made.textContent = words;
  if (click) made.onclick = click;
  return made;
}

/**
 * Keep a draft while the page is reloaded. @param {string} key
 * @param {string} [text] the draft to keep; undefined: read it
 */
function draft(key, text) {
  try {
    if (text === undefined) return sessionStorage.getItem(key) ?? "";
    if (text) sessionStorage.setItem(key, text);
    else sessionStorage.removeItem(key);
  } catch {
    // A page without storage (a sandboxed frame, a full one) keeps no drafts.
  }
  return "";
}

/** @param {HTMLElement} el @param {ChatStore} store */
function createBox(el, store) {
  const key = `vibe-draft-${store.root.props.mark}`;
  /** @type {Map<string, string>} messages that have not arrived at the kernel */
  const sending = new Map();
  /** @type {Map<string, { text: string, state?: string }>} messages to the agent at work, until their fate is known */
  const steered = new Map();
  /** @type {Set<string>} messages that the user wants back */
  const wanted = new Set();
  /** @type {Map<string, HTMLElement>} */
  const rows = new Map();
  let refused = "";

  const list = document.createElement("ul");
  list.className = "vibe-queue";
  list.setAttribute("aria-label", "Messages that wait");
  const form = document.createElement("form");
  const area = document.createElement("textarea");
  area.rows = 1;
  area.value = draft(key);
  const send = button("Send", "vibe-yes");
  const steer = button("Steer", "vibe-steer", () => submit("steer"));
  const close = button("End chat", "vibe-close", () => {
    close.disabled = true;
    store.say({ type: "close" });
  });
  const said = div();
  let isCounting = false; // it says how many messages wait
  said.className = "vibe-heard";
  said.setAttribute("role", "status");
  form.append(area, send, steer, close);
  el.append(list, form, said);
  // No key of the box may run a shortcut of the notebook: there "d d" deletes a cell.
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const name of ["keydown", "keyup", "keypress"])
    el.addEventListener(name, (event) => event.stopPropagation());

  function fit() {
    area.style.height = "auto";
    if (area.scrollHeight) area.style.height = `${area.scrollHeight + 2}px`;
  }

  /** Put a text into the box, before the present draft. @param {string} text */
  function putBack(text) {
    area.value = area.value.trim() ? `${text}\n${area.value}` : text;
    draft(key, area.value);
    fit();
  }

  /** @returns {Chat} the state of a chat; of a view that is none, an empty one */
  const chatOf = () =>
    store.root.props.chat ?? { busy: true, queue: [], seen: [], back: null, refused: null };
  /** @returns {Steering} */
  const steeringOf = () => store.root.props.steer ?? { can: false, sent: [] };
  /** What Enter does. */
  const kind = () => (store.root.props.chat ? "send" : "steer");

  /** @param {"send" | "steer"} type */
  function submit(type = kind()) {
    const text = area.value;
    if (!text.trim() || area.readOnly) return;
    const id = Math.random().toString(36).slice(2);
    sending.set(id, text);
    if (type === "steer") steered.set(id, { text });
    area.value = "";
    draft(key, "");
    fit();
    store.say({ type, id, text });
    drawRows();
    area.focus({ preventScroll: true });
  }

  /** @param {string} id */
  function createRow(id) {
    const row = document.createElement("li");
    const words = document.createElement("bdi");
    const state = document.createElement("span");
    const back = button("Take back", "vibe-back", () => {
      wanted.add(id);
      back.disabled = true;
      store.say({ type: "take_back", id });
    });
    row.append(words, state, back);
    list.append(row);
    return row;
  }

  function drawRows() {
    const { queue } = chatOf();
    /** @type {[string, string][]} */
    const pending = steeringOf()
      .sent.filter(([, , state]) => state === "pending")
      .map(([id, text]) => [id, text]);
    const waits = new Map(queue);
    const shown = new Map([...pending, ...queue, ...sending]);
    for (const [id, row] of rows) {
      if (shown.has(id)) continue;
      if (row.contains(document.activeElement)) area.focus({ preventScroll: true });
      row.remove();
      rows.delete(id);
    }
    for (const [id, text] of shown) {
      const row = rows.get(id) ?? createRow(id);
      rows.set(id, row);
      const [words, state, back] = /** @type {any} */ (row.children);
      show(words, text);
      show(state, waits.has(id) ? "queued" : sending.has(id) ? "sending…" : "pending");
      back.hidden = !waits.has(id);
      back.setAttribute("aria-label", `Take back: ${text.slice(0, 60)}`);
    }
    list.hidden = !rows.size;
  }

  /** @param {Chat} chat */
  function hear({ queue, seen, back, refused: no }) {
    const waits = new Set(queue.map(([id]) => id));
    for (const id of [...sending.keys()]) {
      if (!seen.includes(id)) continue;
      steered.delete(id);
      if (no?.[0] === id) putBack(sending.get(id) ?? "");
      else show(said, waits.has(id) ? waitingWords(queue.length) : "Sent.");
      isCounting = waits.has(id);
      sending.delete(id);
    }
    for (const id of [...wanted]) {
      if (waits.has(id)) continue;
      wanted.delete(id);
      if (back?.[0] === id) {
        putBack(back[1]);
        area.focus({ preventScroll: true });
      }
      show(said, back?.[0] === id ? "Taken back." : "Its turn has begun already.");
    }
    for (const [id, , state, reason] of steeringOf().sent) {
      const mine = steered.get(id);
      if (!mine || mine.state === state) continue;
      mine.state = state;
      if (state === "refused") putBack(mine.text);
      if (state !== "pending") steered.delete(id);
      sending.delete(id);
      show(said, state === "refused" ? `Not taken: ${reason}` : STEER_WORDS[state]);
    }
    if (isCounting) {
      isCounting = queue.length > 0;
      show(said, isCounting ? waitingWords(queue.length) : "");
    }
    if (no && no[0] !== refused) {
      refused = no[0];
      show(said, no[1]);
    }
  }

  area.oninput = () => {
    draft(key, area.value);
    fit();
  };
  area.onkeydown = (event) => {
    // An Enter that ends the composition of a word (Chinese, Japanese, Korean) sends nothing.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    submit();
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    submit();
  };
  fit();

  return () => {
    const { chat, title } = store.root.props;
    const isGone = store.gone();
    const { can } = steeringOf();
    area.placeholder = `Message · Enter ${kind()}s`; // short: 360 px have to do
    area.title = `Enter ${kind()}s, Shift+Enter breaks the line`;
    send.hidden = close.hidden = !chat;
    steer.hidden = !can;
    steer.disabled = isGone;
    area.setAttribute("aria-label", `Message to ${title}`);
    hear(chatOf());
    if (isGone && !area.readOnly) {
      for (const text of sending.values()) putBack(text);
      sending.clear();
      show(said, NOBODY);
    } else if (!isGone && area.readOnly) show(said, "");
    area.readOnly = isGone;
    send.disabled = isGone;
    if (isGone || !close.disabled) close.disabled = isGone;
    drawRows();
    for (const one of list.querySelectorAll("button")) one.hidden ||= isGone;
  };
}

/**
 * Offer a box in an element. Few views are chats, so the others have nothing in it.
 * @param {HTMLElement} el
 * @param {ChatStore} store
 * @returns a function that shows the box of a chat that goes on, and nothing else
 */
export function chatting(el, store) {
  /** @type {ReturnType<typeof createBox> | undefined} */
  let update;
  return () => {
    const { chat, steer } = store.root.props;
    // The box of an agent that works stays until its view goes: its text may be on its way.
    const isOpen = store.live() && !!(chat || steer?.can || (steer && update));
    el.hidden = !isOpen;
    if (!isOpen) return;
    update ??= createBox(el, store);
    update();
  };
}

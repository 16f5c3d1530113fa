/**
 * Ask the user: buttons for an approval, fields for a question. Labels are the agent's words, so they are set as text.
 *
 * @typedef {object} Field A field of the kernel's form (_watching/answers.py)
 * @property {string} name
 * @property {string} label
 * @property {"text" | "number" | "integer" | "boolean" | "choice" | "choices" | "json"} kind
 * @property {boolean} required
 * @property {string} about
 * @property {[any, string][]} choices value and label
 * @property {any} default
 * @property {boolean} secret
 *
 * @typedef {object} Ask
 * @property {string} id
 * @property {"approval" | "question"} kind
 * @property {Field[]} fields
 * @property {string} [refused] the reason why the last answer did not fit
 * @property {number} [tries] answers that did not fit
 *
 * @typedef {(id: string, action: "accept" | "decline", value: any, reason: string | null) => void} Send
 */
import { div } from "./dom.js";

/** Choices up to which each has a button of its own. */
const BUTTONS = 6;
/** Name of the only field of an answer that is no object. */
const ALONE = "value";
/** State of a request whose kernel is gone. */
const GONE = "\0gone";
const NOBODY_WAITS = "Nobody waits for this answer any more.";
let labels = 0;

/** @param {string} name @param {Record<string, any>} props @param {(Node | string)[]} children */
function make(name, props = {}, ...children) {
  const el = /** @type {any} */ (document.createElement(name));
  for (const [key, value] of Object.entries(props)) {
    if (key === "className" || key in el) el[key] = value;
    else el.setAttribute(key, value);
  }
  el.append(...children);
  return el;
}

/** @param {string} words @param {() => void} click @param {string} [name] */
const button = (words, click, name = "") =>
  make("button", { type: "button", className: `vibe-answer ${name}`, onclick: click }, words);

/** @param {any} value */
const asText = (value) => (value == null ? "" : typeof value === "string" ? value : JSON.stringify(value));

/**
 * Make a field's input, and the function that reads it: undefined for nothing, or an Error.
 * @param {Field} field
 * @returns {{ el: HTMLElement, read: () => any }}
 */
function createInput(field) {
  const { kind, choices, required } = field;
  if (kind === "boolean") {
    const box = make("input", { type: "checkbox", checked: field.default === true });
    return { el: box, read: () => box.checked };
  }
  if (kind === "choice" || kind === "choices") {
    const none = kind === "choice" && field.default == null ? [make("option", { value: "" }, "…")] : [];
    const list = make("select", { multiple: kind === "choices" }, ...none);
    choices.forEach(([value, label], at) => {
      const wanted = [field.default].flat().some((one) => JSON.stringify(one) === JSON.stringify(value));
      list.append(make("option", { value: String(at), selected: wanted }, label));
    });
    const chosen = () =>
      [...list.selectedOptions].filter((one) => one.value !== "").map((one) => choices[Number(one.value)][0]);
    return { el: list, read: () => (kind === "choices" ? chosen() : chosen()[0]) };
  }
  if (kind === "json") {
    const area = make("textarea", {
      rows: 3,
      value: field.default == null ? "" : JSON.stringify(field.default),
    });
    return { el: area, read: () => (area.value.trim() ? JSON.parse(area.value) : undefined) };
  }
  const type = field.secret ? "password" : kind === "text" ? "text" : "number";
  const line = make("input", {
    type,
    value: asText(field.default),
    step: kind === "integer" ? "1" : "any",
    required,
  });
  if (kind === "text") return { el: line, read: () => line.value || undefined };
  return { el: line, read: () => (line.value === "" ? undefined : Number(line.value)) };
}

/**
 * @param {HTMLElement} el
 * @param {Send} send
 * @returns a function that shows what is asked, and nothing without it
 */
function createAsk(el, send) {
  el.hidden = true;
  // A text field must not run the host's shortcuts.
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const name of ["keydown", "keyup", "keypress"])
    el.addEventListener(name, (event) => event.stopPropagation());
  let shown = "";
  let tries = 0;
  const said = make("div", { className: "vibe-refused", role: "alert" });

  /** @param {boolean} isSent */
  function disable(isSent) {
    for (const one of el.querySelectorAll("button, input, select, textarea"))
      one.toggleAttribute("disabled", isSent);
  }

  /** @param {string} words */
  function refuse(words) {
    said.textContent = words;
    said.hidden = !words;
    disable(false);
  }

  /** @param {Ask} ask */
  function draw(ask) {
    const reason = make("input", {
      type: "text",
      className: "vibe-reason",
      placeholder: "Reason (optional)",
    });
    reason.setAttribute("aria-label", "Reason (optional)");
    /** @param {"accept" | "decline"} action @param {any} [value] */
    function answer(action, value = null) {
      refuse("");
      disable(true);
      send(ask.id, action, value, reason.value.trim() || null);
    }
    const decline = button("Decline", () => answer("decline"));
    const [first] = ask.fields;
    if (ask.kind === "approval") {
      el.append(
        button("Approve", () => answer("accept"), "vibe-yes"),
        decline,
        reason,
        said,
      );
      return;
    }
    if (
      ask.fields.length === 1 &&
      first.kind === "choice" &&
      first.name === ALONE &&
      first.choices.length <= BUTTONS
    ) {
      el.append(
        ...first.choices.map(([value, label]) => button(label, () => answer("accept", value), "vibe-yes")),
      );
      el.append(decline, said);
      return;
    }
    const form = make("form", { noValidate: true });
    const inputs = ask.fields.map((field) => {
      const input = createInput(field);
      input.el.id = `vibe-field-${++labels}`;
      const label = make(
        "label",
        { htmlFor: input.el.id },
        field.label || "Answer",
        field.required ? "" : " (optional)",
      );
      form.append(make("div", { className: "vibe-field" }, label, input.el));
      if (field.about) form.append(make("div", { className: "vibe-about" }, field.about));
      return { field, ...input };
    });
    form.onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      /** @type {Record<string, any>} */
      const values = {};
      for (const { field, el: input, read } of inputs) {
        let value;
        try {
          value = read();
        } catch {
          refuse(`${field.label || "Answer"}: this is no JSON.`);
          return input.focus();
        }
        if (value === undefined && field.required) {
          refuse(`${field.label || "Answer"}: an answer is needed.`);
          return input.focus();
        }
        if (value !== undefined) values[field.name] = value;
      }
      answer("accept", ask.fields.length === 1 && first.name === ALONE ? values[ALONE] : values);
    };
    form.append(make("button", { type: "submit", className: "vibe-answer vibe-yes" }, "Answer"), decline);
    el.append(form, said);
  }

  return (/** @type {Ask | undefined} */ given, /** @type {boolean} */ isGone) => {
    const ask = isGone ? undefined : given;
    const id = ask?.id ?? (given ? GONE : "");
    if (id !== shown) {
      // The focus must not go to the page.
      const row = /** @type {HTMLElement | null | undefined} */ (
        el.closest(".vibe")?.querySelector(".vibe-head")
      );
      if (row && el.contains(document.activeElement)) {
        row.tabIndex = -1;
        row.focus({ preventScroll: true });
      }
      shown = id;
      tries = 0;
      el.replaceChildren();
      el.hidden = !given;
      said.textContent = "";
      said.hidden = true;
      if (ask) draw(ask);
      else if (given) el.append(NOBODY_WAITS);
    }
    if (ask && (ask.tries ?? 0) !== tries) {
      tries = ask.tries ?? 0;
      refuse(ask.refused ?? "");
    }
  };
}

/**
 * Ask below an element. Few parts ask, so the others have no element for it.
 * @param {HTMLElement} above
 * @param {Send} send
 * @returns a function that shows what is asked, that its kernel is gone, and nothing without it
 */
export function asking(above, send) {
  /** @type {ReturnType<typeof createAsk> | undefined} */
  let show;
  return (/** @type {Ask | undefined} */ ask, /** @type {boolean} */ isGone) => {
    if (ask && !show) {
      const el = div();
      el.className = "vibe-ask";
      el.setAttribute("role", "group");
      el.setAttribute("aria-label", "Your answer");
      above.after(el);
      show = createAsk(el, send);
    }
    show?.(ask ?? undefined, isGone);
  };
}

/**
 * Define the values that the kernel's operations change: parts, growing texts, closed items. No DOM.
 *
 * @typedef {{ chunks: string[], length: number }} GrowingText A text that grows at its end. A reader keeps the object
 *   and counts the chunks it has shown. A text that was cut is another object.
 * @typedef {string | { html: string, colours: string, tail: GrowingText }} Item A closed piece of a text part
 * @typedef {{ text: GrowingText, at: number, size: number, asks: boolean }} Whole A long text that arrives in pieces:
 *   its text so far, the place of the next piece, and whether the store waits for it
 * @typedef {"root" | "text" | "thinking" | "tool" | "artifact" | "run" | "card"} Kind
 * @typedef {object} Part
 * @property {number} key
 * @property {Kind} kind
 * @property {Record<string, any>} props
 * @property {Map<string, GrowingText>} fields plain text by the name of its field
 * @property {Item[]} blocks a text part's closed items; another list once items were removed
 * @property {number[]} revised the places of closed items that were replaced since, in that order
 * @property {string} open HTML of a text part's open block
 * @property {GrowingText} tail text that follows inside the open block
 * @property {Map<string, Whole>} wholes by the name of its field, as much of a long text as the reader asked for
 * @property {Part} [parent]
 * @property {Part[]} parts
 */

/** @returns {GrowingText} */
export const newText = (text = "") => ({ chunks: text ? [text] : [], length: text.length });

/** The text of a field that has none yet. Nothing may be appended to it. */
export const NO_TEXT = Object.freeze(newText());

/** @param {GrowingText} text */
const joined = (text) => text.chunks.join("");

/**
 * Keep the first `keep` units of a text and append `more`.
 * @param {GrowingText} text
 * @param {number} keep
 * @param {string} more
 * @returns {GrowingText} the same object unless the text was cut
 */
export function spliceText(text, keep, more) {
  if (keep > text.length) throw new RangeError(`keep ${keep} of ${text.length}`);
  if (keep < text.length) return newText(joined(text).slice(0, keep) + more);
  if (more) text.chunks.push(more);
  text.length += more.length;
  return text;
}

/**
 * Update a text to `now`.
 * @param {GrowingText} text
 * @param {string} now
 * @returns {GrowingText} the same object if the text only grew
 */
export function updateText(text, now) {
  const before = joined(text);
  return now.startsWith(before) ? spliceText(text, before.length, now.slice(before.length)) : newText(now);
}

/** @param {Part} part @param {string} name */
export const fieldOf = (part, name) => part.fields.get(name) ?? NO_TEXT;

/**
 * Read an item from the wire.
 * @param {string | string[]} raw
 * @returns {Item}
 */
export const toItem = (raw) =>
  typeof raw === "string" ? raw : { html: raw[0], colours: raw[1], tail: newText(raw[2]) };

/** @param {Item} item @param {string | string[] | undefined} raw */
export function isSameItem(item, raw) {
  if (typeof item === "string") return item === raw;
  return !!raw && item.html === raw[0] && item.colours === raw[1] && joined(item.tail) === raw[2];
}

/** @param {number} key @param {Kind} kind @returns {Part} */
export const createPart = (key, kind) => ({
  key,
  kind,
  props: {},
  fields: new Map(),
  blocks: [],
  revised: [],
  wholes: new Map(),
  open: "",
  tail: newText(),
  parts: [],
});

/** @param {Part} part @returns {number} */
export const depthOf = (part) => (part.parent ? depthOf(part.parent) + 1 : 0);

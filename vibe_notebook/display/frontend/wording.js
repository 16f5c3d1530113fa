/** Format the words and numbers that the view itself shows. */

export const KERNEL_GONE = "The kernel is gone. What was streamed stays.";

/** A chat's box without a kernel. */
export const NOBODY = "Nobody is there to read a message: the kernel is gone.";

/** Say that a message waits for its turn. @param {number} count */
export const waitingWords = (count) =>
  `Queued: ${count === 1 ? "1 message waits" : `${count} messages wait`}.`;

/** @type {Record<string, string>} Words for what becomes of a message to an agent at work */
export const STEER_WORDS = {
  pending: "The agent has not taken it yet.",
  taken: "The agent has taken it.",
};

/** A step that no signal reaches goes on until it returns. */
export const STOPPING = "Stopping after this step…";

/** Join the non-empty words, 0 included, with dots. @param {...any} words */
export const dotted = (...words) => words.filter((word) => word || word === 0).join(" · ");

/** @param {any} number @param {string} unit */
export const counted = (number, unit) => number && `${Number(number).toLocaleString("en-US")} ${unit}`;

/**
 * Offer the rest of a long text.
 * @param {number} at characters that are shown of it
 * @param {number} size
 * @param {boolean} gone
 * @param {boolean} asks
 */
export function moreWords(at, size, gone, asks) {
  const all = counted(size, "characters");
  if (gone) return `The kernel, which has all ${all}, is gone`;
  if (asks) return at ? `${Math.floor((100 * at) / size)} % of ${all}…` : `Loading all ${all}…`;
  return at ? `Show the rest of ${all}` : `Show all (${all})`;
}

/** Words for a run that waits for an answer. */
export const WAITING = "waiting for you";

/** Write a state's name as words. @param {any} state */
export const stateWords = (state) => String(state ?? "").replaceAll("_", " ");

/** @param {number} seconds */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${seconds < 10 ? Math.max(seconds, 0).toFixed(1) : Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} m ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}

/** Inflate packed messages: base64 of raw deflate, all of them one stream (docs/wire.md). */

/** The last bytes of each message. They are always the same, so the kernel leaves them out. */
const SYNC_FLUSH = "\0\0\xff\xff";

/**
 * Open one deflated stream.
 * @returns a function that inflates the stream's next message and returns its operations
 */
export function createInflater() {
  const stream = new DecompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return async (/** @type {string} */ packed) => {
    const bytes = Uint8Array.from(atob(packed) + SYNC_FLUSH, (unit) => unit.charCodeAt(0));
    writer.write(bytes).catch(() => {}); // the reader throws the same error below
    while (!rest.includes("\n")) rest += (await reader.read()).value;
    const end = rest.indexOf("\n");
    const operations = JSON.parse(rest.slice(0, end));
    rest = rest.slice(end + 1);
    return operations;
  };
}

/**
 * Bundle the front end: vibe_notebook/display/frontend/ becomes vibe_notebook/display/static/widget.js, which the kernel
 * sends with every widget. `--watch` bundles again at each change of a source.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, context, transform } from "esbuild";

const DISPLAY = new URL("../vibe_notebook/display/", import.meta.url);
export const BUNDLE = fileURLToPath(new URL("static/widget.js", DISPLAY));

/** Put the minified stylesheet into the module: the module adds it to the page once, not once for each view. */
const stylesheet = {
  name: "stylesheet",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const { code, warnings } = await transform(source, { loader: "css", minify: true, charset: "utf8" });
      return { contents: code.trim(), loader: "text", warnings, watchFiles: [path] };
    });
  },
};

const OPTIONS = {
  entryPoints: [fileURLToPath(new URL("frontend/index.js", DISPLAY))],
  outfile: BUNDLE,
  bundle: true,
  minify: true,
  format: "esm",
  // Keep the syntax that today's browsers understand, CSS nesting too.
  target: "esnext",
  charset: "utf8",
  legalComments: "none",
  banner: { js: "// Made by `make frontend` from ../frontend." },
  logLevel: "info",
  plugins: [stylesheet],
};

/** Bundle the sources without writing anything. */
export async function bundle() {
  const { outputFiles } = await build({ ...OPTIONS, logLevel: "warning", write: false });
  return outputFiles[0].text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes("--watch")) await (await context(OPTIONS)).watch();
  else await build(OPTIONS);
}

/**
 * Apply the kernel's messages in the browser: this half of docs/wire.md never renders Markdown.
 *
 * The model has the state (store.js). A view (view.js) has one node for each part (parts.js, text.js) and updates the
 * nodes. The kernel sanitises HTML; the front end sets everything else as text.
 *
 * @import { AnyWidget } from "@anywidget/types"
 */
import { createStore } from "./store.js";

/**
 * Make a widget definition for each model. Hosts pass different proxies of one model to `initialize` and `render`, so a
 * model cannot be the key of its store.
 * @type {AnyWidget}
 */
export default () => {
  /** @type {ReturnType<typeof createStore>} */
  let store;
  return {
    initialize({ model }) {
      store = createStore(model);
      return store.leave;
    },
    render: ({ el }) => store.mount(el),
  };
};

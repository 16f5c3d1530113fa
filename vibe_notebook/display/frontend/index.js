/**
 * The browser's half of docs/wire.md: the kernel renders, this applies.
 *
 * The state belongs to the model (store.js). A view (view.js) has one node for each part (parts.js, text.js) and brings
 * them up to date. HTML comes sanitised from the kernel; all else is set as text.
 *
 * @import { AnyWidget } from "@anywidget/types"
 */
import { createStore } from "./store.js";

/**
 * Make a widget definition for each model. Hosts hand `initialize` and `render` different proxies of one model, so a
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

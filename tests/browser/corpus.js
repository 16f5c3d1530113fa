// Runs first in each page of the hostile corpus: plants the canaries, shows live views, and judges the whole page.
window.corpus = (() => {
  const seen = [];
  const note = (what) => seen.push(String(what).slice(0, 200));
  for (const name of ["alert", "confirm", "prompt", "print", "open", "fetch"])
    window[name] = () => note(`${name}()`);
  Object.defineProperty(navigator, "sendBeacon", { value: () => note("sendBeacon()") });
  // In the sandbox of a server's page no listener may run, and the browser would report each.
  const listen = (...args) => origin !== "null" && addEventListener(...args);
  listen("error", (event) => event.error && note(`error ${event.message}`), true);
  listen("unhandledrejection", (event) => note(`rejected ${event.reason}`));
  listen("beforeunload", () => note("navigation"));
  listen("submit", () => note("submit"), true);

  const globals = new Set(Object.getOwnPropertyNames(window));
  const prototypes = () =>
    [Object.prototype, Array.prototype, Function.prototype].map((p) => Object.getOwnPropertyNames(p).length);
  const before = { prototypes: `${prototypes()}`, title: null, href: location.href };
  const frames = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));

  /** Show live views as a host does: a model of each, and its messages in order. */
  async function mount(cases, judged) {
    const { default: widget } = await import("/widget.js");
    const found = [];
    const shown = cases.map(({ snapshot, messages }, i) => {
      const handlers = {};
      const model = {
        get: (key) => (key === "_snapshot" ? snapshot : undefined),
        set() {},
        save_changes() {},
        on: (name, run) => {
          handlers[name] = run;
        },
        off() {},
        send() {},
      };
      const el = document.body.appendChild(
        Object.assign(document.createElement("section"), { className: "allow-view" }),
      );
      const made = widget();
      made.initialize({ model });
      made.render({ model, el });
      return { receive: handlers["msg:custom"], messages: [...messages], el, i };
    });
    const longest = Math.max(...shown.map((each) => each.messages.length));
    for (let turn = 0; turn < longest; turn++) {
      for (const { receive, messages } of shown) if (messages[turn]) receive(messages[turn]);
      await frames();
      if (turn === 0) vibePages.openAll();
      found.push(
        ...judge(
          judged,
          shown.map(({ el }) => el),
        ),
      );
    }
    return found;
  }

  /** Return what a page must not have: elements, attributes, addresses and places outside of the allow lists. */
  function judge({ view, markdown, math, classes, style, raster }, sections) {
    const found = [];
    const isClass = new RegExp(`^${classes}$`);
    const isStyle = new RegExp(`^${style}$`, "u");
    const isRaster = new RegExp(raster, "i");
    const isMath = new Set(math);
    let elements = 0;
    for (const section of sections) {
      const isOurs = section.className === "allow-view";
      const walker = document.createTreeWalker(section, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_COMMENT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        elements++;
        const bad = (what) => found.push(`${section.dataset.name ?? "live"}: ${what}`.slice(0, 300));
        if (node.nodeType === Node.COMMENT_NODE) {
          bad(`<!--${node.data}-->`);
          continue;
        }
        const isView = isOurs || (node.closest(".vibe") && section.contains(node.closest(".vibe")));
        const allowed = isView ? view : markdown;
        const tag = node.localName;
        const names = allowed[tag] ?? (isMath.has(tag) ? "*" : null);
        if (names === null || node.namespaceURI.endsWith("svg")) {
          bad(`<${tag}>`);
          continue;
        }
        for (const { name, value } of node.attributes) {
          let isFine = names === "*" ? !/^on|href|src/i.test(name) : names.split(" ").includes(name);
          if (name === "class")
            isFine =
              !isView ||
              value
                .split(/\s+/)
                .filter(Boolean)
                .every((each) => isClass.test(each));
          if (name === "style") isFine = isView ? isStyle.test(value) : /^text-align:\s?\w+;?$/.test(value);
          if (name === "href")
            isFine =
              tag === "a" &&
              ((/^(https?:|mailto:|:)$/.test(node.protocol) && /^(https?|mailto):/i.test(value)) ||
                node.matches(".anchor-link[href^='#']"));
          if (name === "dir") isFine = value === "auto";
          if (name === "src") isFine = tag === "img" && isRaster.test(value);
          if (name === "href" && isFine && isView && node.rel !== "noopener noreferrer") isFine = false;
          if (!isFine) bad(`<${tag} ${name}=${value}>`);
        }
      }
    }
    corpus.elements = (corpus.elements ?? 0) + elements;
    return found;
  }

  /** Return what has happened to the page outside of the views. */
  function happened(title, sections) {
    const found = [...seen];
    if (document.title !== title) found.push(`title ${document.title}`);
    if (location.href !== before.href) found.push(`address ${location.href}`);
    if (document.cookie) found.push(`cookie ${document.cookie}`);
    if (localStorage.length + sessionStorage.length) found.push("storage");
    if (`${prototypes()}` !== before.prototypes || {}.polluted !== undefined) found.push("prototype");
    if (document.querySelectorAll("body > *").length !== sections)
      found.push(`${document.querySelectorAll("body > *").length} elements in the body, not ${sections}`);
    const known = /^(corpus|vibePages|\d+)$/;
    found.push(
      ...Object.getOwnPropertyNames(window)
        .filter((name) => !globals.has(name) && !known.test(name))
        .map((name) => `global ${name}`),
    );
    found.push(
      ...performance
        .getEntriesByType("resource")
        .filter(({ name }) => !name.startsWith(location.origin) && !name.startsWith("data:"))
        .map(({ name }) => `request ${name}`),
    );
    return found;
  }

  /** Do what a reader may do to any element: point at it, click it, open it. */
  function provoke() {
    for (const el of document.querySelectorAll("details")) el.open = true;
    for (const el of document.querySelectorAll(
      "body > section [href], body > section [src], body > section [style] , summary, button, [tabindex]",
    )) {
      for (const name of ["mouseover", "focus", "pointerdown", "animationstart", "load", "error", "toggle"])
        el.dispatchEvent(new Event(name, { bubbles: true }));
    }
  }

  return { mount, judge, happened, provoke, frames };
})();

// Injected into every page: record the time when each mark of the streamed text is on screen, and the long tasks.
window.vibeBench = (() => {
  const MARK = /zq(\d+)x(\d+)q/g;
  let seen = {},
    pending = [],
    long = [],
    observer,
    roots = new Set(),
    shadowTimer,
    frame = false;
  const stamp = () => {
    frame = false;
    const now = performance.timeOrigin + performance.now();
    for (const mark of pending) seen[mark] ??= now;
    pending = [];
  };
  const scanText = (text) => {
    for (const [mark] of text.matchAll(MARK)) if (!(mark in seen)) pending.push(mark);
    if (pending.length && !frame) {
      frame = true;
      requestAnimationFrame(stamp);
    }
  };
  const deepText = (node) => {
    let text = node.textContent ?? "";
    for (const el of node.querySelectorAll?.("*") ?? []) if (el.shadowRoot) text += deepText(el.shadowRoot);
    return text;
  };
  const onMutations = (records) => {
    for (const record of records) {
      if (record.type === "characterData") scanText(record.target.data.slice(-2000));
      for (const node of record.addedNodes) scanText(node.textContent ?? "");
    }
  };
  const observe = (root) => {
    if (roots.has(root)) return;
    roots.add(root);
    observer.observe(root, { childList: true, characterData: true, subtree: true });
    scanText(root.textContent);
  };
  // Each shadow root needs an observer of its own; Panel nests several.
  const watchShadows = (node) => {
    for (const el of node.querySelectorAll("*"))
      if (el.shadowRoot) {
        observe(el.shadowRoot);
        watchShadows(el.shadowRoot);
      }
  };
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) long.push([performance.timeOrigin + e.startTime, e.duration]);
  }).observe({ type: "longtask", buffered: true });
  const start = (root, hasShadows) => {
    observer?.disconnect();
    clearInterval(shadowTimer);
    [seen, pending, long, roots] = [{}, [], [], new Set()];
    observer = new MutationObserver(onMutations);
    observe(root);
    if (hasShadows) shadowTimer = setInterval(() => watchShadows(root), 250);
    window.vibeBenchRoot = root;
  };
  const fold = () => {
    const find = (node) => {
      const found = node.querySelector("details");
      if (found) return found;
      for (const el of node.querySelectorAll("*")) {
        const inner = el.shadowRoot && find(el.shadowRoot);
        if (inner) return inner;
      }
      return null;
    };
    return find(window.vibeBenchRoot);
  };
  return {
    start,
    fold,
    seen: () => seen,
    long: () => long,
    left: (marks) => marks.filter((mark) => !(mark in seen)).length,
    absent: (marks) => {
      const text = deepText(window.vibeBenchRoot);
      return marks.filter((mark) => !text.includes(mark));
    },
  };
})();

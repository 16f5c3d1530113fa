// Injected into every page: when which mark of the streamed text came on screen, and long tasks.
window.vibeBench = (() => {
  const MARK = /zq(\d+)x(\d+)q/g;
  let seen = {},
    pending = [],
    long = [],
    observer,
    roots = new Set(),
    scan,
    frame = false;
  const stamp = () => {
    frame = false;
    const now = performance.timeOrigin + performance.now();
    for (const mark of pending) seen[mark] ??= now;
    pending = [];
  };
  const look = (text) => {
    for (const [mark] of text.matchAll(MARK)) if (!(mark in seen)) pending.push(mark);
    if (pending.length && !frame) {
      frame = true;
      requestAnimationFrame(stamp);
    }
  };
  const deep = (node) => {
    let text = node.textContent ?? "";
    for (const el of node.querySelectorAll?.("*") ?? []) if (el.shadowRoot) text += deep(el.shadowRoot);
    return text;
  };
  const changed = (records) => {
    for (const record of records) {
      if (record.type === "characterData") look(record.target.data.slice(-2000));
      for (const node of record.addedNodes) look(node.textContent ?? "");
    }
  };
  const watch = (root) => {
    if (roots.has(root)) return;
    roots.add(root);
    observer.observe(root, { childList: true, characterData: true, subtree: true });
    look(root.textContent);
  };
  // Shadow roots are observed one by one; Panel has several, one in the other.
  const shadows = (node) => {
    for (const el of node.querySelectorAll("*"))
      if (el.shadowRoot) {
        watch(el.shadowRoot);
        shadows(el.shadowRoot);
      }
  };
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) long.push([performance.timeOrigin + e.startTime, e.duration]);
  }).observe({ type: "longtask", buffered: true });
  const start = (root, hasShadows) => {
    observer?.disconnect();
    clearInterval(scan);
    [seen, pending, long, roots] = [{}, [], [], new Set()];
    observer = new MutationObserver(changed);
    watch(root);
    if (hasShadows) scan = setInterval(() => shadows(root), 250);
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
      const text = deep(window.vibeBenchRoot);
      return marks.filter((mark) => !text.includes(mark));
    },
  };
})();

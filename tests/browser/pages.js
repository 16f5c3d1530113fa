// Injected into every page: reads a view, live or saved, as kernel_side.prints_of says it must be.
window.vibePages = (() => {
  const normal = (text) => (text ?? "").replace(/[ \t\n\r\f\v\u00a0]+/g, " ").replace(/^ | $/g, "");
  const kids = (el) => [...(el?.children ?? [])];
  const child = (el, name) => kids(el).find((kid) => kid.classList.contains(name));
  const LABELS = ["Arguments", "Output", "Error"];
  const isLabel = (el) => el.tagName === "DIV" && LABELS.includes(el.textContent);
  const isNext = (el) => isLabel(el) || /^vibe-(request|children)$/.test(el.classList[0]);
  const texts = (els) => els.map((el) => el.textContent).join("\n");
  // A live view has a box for each field; the saved form has the field's blocks between two labels.
  const field = (el, name, label) => {
    const live = child(el, `vibe-${name}`);
    const isShown = (kid) => !kid.hidden && kid.tagName !== "BUTTON" && !isLabel(kid);
    if (live) return live.hidden ? "" : texts(kids(live).filter(isShown));
    const all = kids(el);
    const start = all.findIndex((kid) => isLabel(kid) && kid.textContent === label);
    const end = all.findIndex((kid, i) => i > start && isNext(kid));
    return start < 0 ? "" : texts(all.slice(start + 1, end < 0 ? undefined : end));
  };
  const state = (el) => el.dataset.state ?? /\bvibe-is-(\w+)/.exec(el.className)[1];
  const withoutNumbers = (el) => {
    const copy = el.cloneNode(true);
    for (const number of copy.querySelectorAll("sup.vibe-cite")) number.remove();
    return copy;
  };
  const parts = (box) =>
    kids(box).flatMap((el) => {
      if (el.tagName === "DIV" && !el.className) return parts(el); // a group, of parts that are laid out together
      if (el.classList.contains("vibe-text")) return [["text", normal(withoutNumbers(el).textContent)]];
      if (el.classList.contains("vibe-thinking"))
        return [["thinking", normal(el.lastElementChild.textContent)]];
      if (el.classList.contains("vibe-tool")) {
        const name = el.querySelector("code").textContent;
        const body = child(el, "vibe-body") ?? el;
        const texts = [
          field(body, "args", "Arguments"),
          field(body, "output", "Output"),
          field(body, "error", "Error"),
        ];
        const below = child(body, "vibe-parts") ?? child(body, "vibe-children");
        return [["tool", name, state(el), ...texts.map(normal), parts(below)]];
      }
      if (el.classList.contains("vibe-artifact"))
        return [["artifact", el.querySelector(".vibe-name, a")?.textContent || null]];
      if (el.classList.contains("vibe-run")) {
        const name = (child(el, "vibe-summary") ?? el).querySelector(".vibe-name, strong").textContent;
        return [["run", name, parts(child(el, "vibe-parts") ?? el)]];
      }
      return [];
    });
  const views = (within) =>
    [...(within ?? document).querySelectorAll(".vibe")].filter((el) => !el.parentElement.closest(".vibe"));
  const prints = (el) => JSON.stringify(parts(child(el, "vibe-parts") ?? el));
  // Whether there are so many views, and each shows just this.
  const allShow = ([wanted, count]) => {
    const found = views();
    return found.length === count && found.every((view) => prints(view) === wanted);
  };
  const isOpen = (el) => el.open ?? child(el, "vibe-fold").ariaExpanded === "true";
  const openAll = () => {
    for (const el of document.querySelectorAll(".vibe details")) el.open = true;
    for (const el of document.querySelectorAll(".vibe-fold[aria-expanded=false]")) el.click();
  };
  const panel = () =>
    [...(window.jupyterapp?.shell.widgets("main") ?? [])].find((tab) => tab.content?.widgets && tab.context);
  const codeCells = () => panel().content.widgets.filter((cell) => cell.model.type === "code");
  const kernel = () => panel()?.sessionContext?.session?.kernel;
  return { panel, kernel, codeCells, views, prints, isOpen, openAll, allShow };
})();

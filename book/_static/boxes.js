// A box that scrolls sideways can be reached by keyboard and has a name, as long as it scrolls.
(() => {
  const BOXES =
    ".bd-article :is(.pst-scrollable-table-container, .text_html:has(> table), figure, pre, " +
    "mjx-container[display='true'], dt.sig)";
  const name = (box) => (box.matches("figure") ? "Figure" : box.matches("pre, dt") ? "Code"
    : box.matches("mjx-container") ? "Formula" : "Table");
  const watch = (box) => {
    const scrolls = box.scrollWidth > box.clientWidth + 1;
    if (scrolls === (box.dataset.scrolls === "yes")) return;
    box.dataset.scrolls = scrolls ? "yes" : "no";
    for (const [key, value] of [
      ["tabindex", "0"], ["role", "region"], ["aria-label", name(box) + ", scrolls sideways"],
    ])
      if (scrolls) box.setAttribute(key, value);
      else box.removeAttribute(key);
  };
  const start = () => {
    const seen = new ResizeObserver((entries) => entries.forEach((one) => watch(one.target)));
    document.querySelectorAll(BOXES).forEach((box) => seen.observe(box));
  };
  // Formulas are there when MathJax has set them.
  window.addEventListener("load", () => {
    const formulas = window.MathJax?.startup?.promise ?? Promise.resolve();
    formulas.then(start, start);
  });
})();

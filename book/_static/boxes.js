// A box that scrolls sideways can be reached by keyboard, has a name, and fades where it goes on.
(() => {
  const BOXES =
    ".bd-article :is(.pst-scrollable-table-container, .text_html:has(> table), figure .picture, pre, " +
    "mjx-container[display='true'], dt.sig, p.hero)";
  const name = (box) => (box.matches(".picture, .hero") ? "Figure" : box.matches("pre, dt") ? "Code"
    : box.matches("mjx-container") ? "Formula" : "Table");
  // Towards which edges there is more of it.
  const mark = (box) => {
    const more = [];
    if (box.dataset.scrolls === "yes") {
      if (box.scrollLeft > 1) more.push("left");
      if (box.scrollLeft + box.clientWidth < box.scrollWidth - 1) more.push("right");
    }
    if (more.length) box.dataset.more = more.join(" ");
    else delete box.dataset.more;
  };
  const watch = (box) => {
    look(box);
    mark(box);
  };
  const look = (box) => {
    const scrolls = box.scrollWidth > box.clientWidth + 1;
    if (scrolls === (box.dataset.scrolls === "yes")) return;
    box.dataset.scrolls = scrolls ? "yes" : "no";
    for (const [key, value] of [
      ["tabindex", "0"], ["role", "region"], ["aria-label", name(box) + ", scrolls sideways"],
    ])
      if (scrolls) box.setAttribute(key, value);
      else box.removeAttribute(key);
  };
  // Numbers and intervals are not broken; sentences in a table are.
  const unbroken = () => {
    for (const cell of document.querySelectorAll(".bd-article .text_html td"))
      cell.classList.toggle("short", cell.textContent.trim().length <= 24);
  };
  // The theme calls each fold "Toggle hidden content": it is called what is written on it.
  const nameFolds = () => {
    for (const button of document.querySelectorAll(".admonition-title > .toggle-button"))
      button.setAttribute("aria-label", button.parentElement.textContent.trim());
  };
  const start = () => {
    unbroken();
    nameFolds();
    const seen = new ResizeObserver((entries) => entries.forEach((one) => watch(one.target)));
    document.querySelectorAll(BOXES).forEach((box) => {
      seen.observe(box);
      box.addEventListener("scroll", () => mark(box), { passive: true });
    });
  };
  // Formulas are there when MathJax has set them.
  window.addEventListener("load", () => {
    const formulas = window.MathJax?.startup?.promise ?? Promise.resolve();
    formulas.then(start, start);
  });
})();

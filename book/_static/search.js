// The text under a hit is prose: as in the index, a cell of a notebook has captions alone.
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return; // Sphinx's searchtools.js, which comes later
  const whole = Search.htmlToText;
  Search.htmlToText = (page, anchor) => {
    const parsed = new DOMParser().parseFromString(page, "text/html");
    for (const cell of parsed.querySelectorAll(".cell"))
      cell.replaceWith(...cell.querySelectorAll("figcaption, caption"));
    return whole(parsed.documentElement.outerHTML, anchor);
  };
});

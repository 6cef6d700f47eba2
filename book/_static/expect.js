// What a reader expects: the options become buttons, the first click counts, and is kept in this
// browser alone. Without it the options are a list, and the book's prediction is in a fold.
(() => {
  const KEY = "filters-from-patches.expected";
  let kept = {};
  const load = () => {
    try { kept = JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { /* kept on this page */ }
  };
  const save = () => {
    try { localStorage.setItem(KEY, JSON.stringify(kept)); } catch { /* as above */ }
  };
  const made = (name, properties) => Object.assign(document.createElement(name), properties);

  // [key, the book's option, what came out]: 0 if none did, null if that is not known yet.
  const facts = ({ dataset }) =>
    [dataset.key, +dataset.book, "came" in dataset ? +dataset.came : null];

  const verdict = (yours, book, came) => {
    if (came === null) return "What comes out is not known yet.";
    if (came === 0) return "No option quite fits what was found.";
    const [you, it] = [yours === came, book === came];
    return you && it ? "You and the book were right."
      : you ? "You were right, the book was not."
      : it ? "The book was right." : "Neither you nor the book was right.";
  };

  const show = (box) => {
    const [key, book, came] = facts(box), yours = kept[key];
    box.classList.toggle("answered", Boolean(yours));
    box.querySelectorAll("button.option").forEach((button, i) => {
      const is = (number) => Boolean(yours) && number === i + 1;
      button.setAttribute("aria-pressed", is(yours));
      button.setAttribute("aria-disabled", Boolean(yours));
      button.classList.toggle("came", is(came));
      const names = [[yours, "yours"], [book, "the book’s"], [came, "came out"]];
      const tags = names.filter(([number]) => is(number)).map(([, name]) => name);
      button.querySelector(".tags").textContent = tags.join(", ");
    });
    box.querySelector(".judged").textContent = yours ? verdict(yours, book, came) : "";
  };

  const score = (place) => {
    const boxes = JSON.parse(place.dataset.boxes);
    const counted = boxes.filter(([key, , came]) => came !== null && kept[key]);
    const right = (option) => counted.filter((box) => option(box) === box[2]).length;
    const n = counted.length, open = boxes.filter(([key]) => !kept[key]).length;
    place.hidden = boxes.length === open;
    if (place.hidden) return;
    const count = n === 0 ? "None of your answers can be judged yet"
      : `What came out: you ${right(([key]) => kept[key])} of ${n}, ` +
        `the book ${right(([, book]) => book)} of ${n}`;
    const forget = made("button", { type: "button", className: "forget", textContent: "Forget my answers" });
    forget.onclick = () => {
      load();
      boxes.forEach(([key]) => delete kept[key]);
      save();
      all();
    };
    place.replaceChildren(count + (open ? ` (${open} not answered). ` : ". "), forget);
  };

  const all = () => {
    document.querySelectorAll(".expect").forEach(show);
    document.querySelectorAll(".expect-score").forEach(score);
  };

  const start = () => {
    load();
    document.querySelectorAll(".expect").forEach((box) => {
      box.querySelectorAll(".options > li").forEach((item, i) => {
        const button = made("button", { type: "button", className: "option" });
        button.append(...(item.querySelector(":scope > p") ?? item).childNodes, " ", made("span", { className: "tags" }));
        button.onclick = () => {
          load(); // another page may have kept something since
          if (kept[box.dataset.key]) return;
          kept[box.dataset.key] = i + 1;
          save();
          box.querySelector("details").open = true;
          all();
        };
        item.replaceChildren(button);
      });
      box.querySelector(".options").after(made("p", { className: "judged", role: "status" }));
    });
    all();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

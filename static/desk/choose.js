/* The choice of a template narrows down while one types; without this script the form asks the server. */
const field = document.getElementById("q");
const told = document.getElementById("found");
const choices = [...document.querySelectorAll("[data-search]")];
const known = choices.length;

function narrow() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const choice of choices) {
    choice.hidden = !words.every((word) => choice.dataset.search.includes(word));
    left += choice.hidden ? 0 : 1;
  }
  for (const shelf of document.querySelectorAll(".shelf")) {
    const inside = [...shelf.querySelectorAll("[data-search]")];
    shelf.hidden = inside.length > 0 && inside.every((choice) => choice.hidden);
  }
  told.textContent = words.length ? `${left} / ${known}` : "";
}

field.addEventListener("input", narrow);

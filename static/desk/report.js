// The button that opens the browser's own print window; without scripts the page says how.
const button = document.getElementById("print");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// The compose page while it saves by itself: nothing jumps, nothing is sent twice, and what goes wrong is said.
// htmx posts the form and swaps what the server sends; without this file everything still works by its buttons.
"use strict";

(() => {
  const form = document.getElementById("draft-form");

  // Calm: what has not changed is left alone, and what is open stays open
  const opened = (place) => [...place.querySelectorAll("details")].map((one) => one.open);
  const chosen = (place) => [...place.querySelectorAll("input[type=radio]:checked")].map((one) => one.id);
  const same = (one, other) => one.replace(/\s+/g, " ").trim() === other.replace(/\s+/g, " ").trim();
  const remembered = new Map();

  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const target = event.detail.target;
    if (target && target.matches("[data-calm]") && same(target.innerHTML, event.detail.serverResponse)) {
      event.detail.shouldSwap = false;
    }
  });
  document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    if (!target || !target.matches("[data-calm]")) return;
    const fresh = fragment.firstElementChild || fragment;
    const plain = document.createElement("div");
    plain.append(fresh.cloneNode(true));
    if (same(target.innerHTML.replace(/ open(="")?/g, ""), plain.firstElementChild.innerHTML.replace(/ open(="")?/g, ""))) {
      event.detail.shouldSwap = false;
      return;
    }
    remembered.set(target.id, { opened: opened(target), chosen: chosen(target) });
  });
  document.body.addEventListener("htmx:oobAfterSwap", (event) => {
    const place = document.getElementById(event.detail.target.id);
    const before = place && remembered.get(place.id);
    if (!before) return;
    const now = [...place.querySelectorAll("details")];
    if (now.length === before.opened.length) now.forEach((one, at) => { one.open = before.opened[at]; });
    before.chosen.forEach((id) => { const radio = document.getElementById(id); if (radio) radio.checked = true; });
  });

  if (!form || !form.hasAttribute("hx-post")) return;

  let running = 0; // requests under way
  let unsaved = false; // something typed that the server does not have
  let waiting = null; // the button that was pressed while a request was under way
  let leaving = false;
  let halted = false; // somebody else has saved: a decision is owed, and only the buttons save
  let before = ""; // what stood there before "is being saved"

  const saved = () => document.getElementById("saved");
  const say = (words) => { saved().textContent = words; };

  form.addEventListener("input", () => { unsaved = true; });
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== form) return;
    if (halted) {
      event.preventDefault();
      return;
    }
    running += 1;
    unsaved = false;
    before = saved().innerHTML;
    say(form.dataset.saving);
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.target !== form) return;
    running -= 1;
    const status = event.detail.xhr.status;
    if (status === 0 || status >= 400) {
      unsaved = true;
      say(status === 401 ? form.dataset.over : form.dataset.offline);
      if (status !== 401 && !waiting) setTimeout(() => form.dispatchEvent(new Event("input", { bubbles: true })), 5000);
    } else if (status === 204) {
      saved().innerHTML = before;
    }
    if (waiting && !running) form.requestSubmit(waiting);
  });
  document.body.addEventListener("htmx:oobAfterSwap", () => {
    if (!halted && document.querySelector("#overtaken[data-stop]")) {
      halted = true;
      unsaved = true;
    }
  });

  // A button pressed while the page saves waits for the answer, so that it carries the right version
  form.addEventListener("submit", (event) => {
    if (running && event.submitter) {
      event.preventDefault();
      waiting = event.submitter;
      return;
    }
    leaving = true;
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsaved && !leaving) event.preventDefault();
  });
  window.addEventListener("pageshow", () => { leaving = false; });
})();

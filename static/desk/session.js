/* The session's end in sight: a warning five minutes before, renewal without losing the page, plain words after.
 *
 * Everything it says stands in the page (desk/session.html). Times are counted from when the page came, so a
 * wrong clock of this machine does not matter.
 */
const box = document.getElementById("session-note");
const place = document.getElementById("session-until");

if (box && place) {
  const WARN = 300;
  const EVERY = 60_000;
  const officer = place.dataset.officer;
  let end = Date.now() + Number(place.dataset.left) * 1000;
  let last = place.dataset.last === "yes";
  let renewed = Date.now();
  let shown = "";
  let asking = false;

  const show = (name) => {
    if (shown === name) return;
    shown = name;
    for (const part of box.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== name;
    box.hidden = !name;
  };

  const take = (now) => {
    end = Date.now() + now.left * 1000;
    last = now.last;
    place.dateTime = now.until;
    for (const time of [place, ...box.querySelectorAll("time")]) time.textContent = now.words;
    // after a new log-in in another window the old token of this page's forms would be refused
    for (const field of document.getElementsByName("csrfmiddlewaretoken")) field.value = now.token;
  };

  const ask = async (method) => {
    if (asking) return;
    asking = true;
    try {
      const token = document.getElementsByName("csrfmiddlewaretoken")[0].value;
      const headers = method === "POST" ? { "X-CSRFToken": token } : {};
      const answer = await fetch(place.dataset.address, { method, headers, redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect") end = Math.min(end, Date.now());
      else if (answer.ok) {
        const now = await answer.json();
        if (String(now.officer) === officer) take(now);
        else end = Math.min(end, Date.now());
      }
    } catch {
      /* no network: the page goes on counting, and asks again */
    } finally {
      asking = false;
    }
    look();
  };

  const look = () => {
    const left = (end - Date.now()) / 1000;
    if (left <= 0) show("over");
    else if (left <= WARN) show(last ? "last" : "soon");
    else show("");
  };

  const renew = () => {
    renewed = Date.now();
    return ask("POST");
  };

  box.querySelector("[data-renew]").addEventListener("click", renew);
  document.addEventListener("input", () => {
    if (Date.now() - renewed > EVERY && Date.now() < end && !last) renew();
  });
  // back from sleep, or from a log-in in another window
  const back = () => {
    if (document.visibilityState === "visible" && (shown || Date.now() >= end)) ask("GET");
  };
  document.addEventListener("visibilitychange", back);
  window.addEventListener("focus", back);
  setInterval(look, 1000);
  look();
}

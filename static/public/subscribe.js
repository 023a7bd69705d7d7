// Subscribing: what is missing is said before anything is sent; push asks the browser, then the city's server.
// All words are in the page; only a refusal of the server comes in its own.
(function () {
  "use strict";

  const OWN = "belfry-own";
  const OWN_KEY = "/own-subscription"; // never asked of the server: the key of a note in the cache
  const PATIENCE = 20000;
  const supported = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  const apple =
    /iPhone|iPad|iPod/.test(navigator.userAgent) ||
    (navigator.userAgent.includes("Macintosh") && navigator.maxTouchPoints > 1);

  class Told extends Error {
    // Why it did not work, as the name of words in the page; or the server's own words
    constructor(name, words = "") {
      super(name);
      this.words = words;
    }
  }

  function say(place, name, words = "") {
    place.replaceChildren();
    if (!name) {
      return;
    }
    place.append(document.querySelector(`template[data-say="${name}"]`).content.cloneNode(true));
    const slot = place.querySelector("[data-words]");
    if (slot) {
      slot.textContent = words;
    }
  }

  // What this browser remembers of its own subscription: for its page, and for the worker when its address changes

  async function remembered() {
    const note = await (await caches.open(OWN)).match(OWN_KEY);
    return note ? note.json() : null;
  }

  async function remember(note) {
    await (await caches.open(OWN)).put(OWN_KEY, new Response(JSON.stringify(note)));
  }

  async function subscribed() {
    const registration = await navigator.serviceWorker.getRegistration("/");
    return registration ? registration.pushManager.getSubscription() : null;
  }

  // A page of the application that ends a subscription says so: then the browser's own part ends too

  async function leave() {
    const subscription = await subscribed();
    if (subscription) {
      await subscription.unsubscribe();
    }
    await caches.delete(OWN);
  }

  if (supported && document.querySelector("[data-push-left]")) {
    leave();
  }

  const form = document.getElementById("subscribe");
  if (!form) {
    return;
  }
  const said = document.getElementById("said");
  const button = document.getElementById("go");
  const push = document.getElementById("way-push");

  // What is missing

  const problems = document.getElementById("problems");

  function missing() {
    const given = new FormData(form);
    const found = [];
    const way = given.get("way");
    if (!way) {
      found.push("way");
    }
    if (way === "sms" && !given.get("tel").trim()) {
      found.push("tel");
    }
    if (way === "email" && (!given.get("mail").trim() || !form.elements.mail.validity.valid)) {
      found.push("mail");
    }
    if (!given.has("area")) {
      found.push("area");
    }
    if (!given.has("topic")) {
      found.push("topic");
    }
    return found;
  }

  function tell(found) {
    problems.querySelectorAll("[data-problem]").forEach((item) => {
      item.hidden = !found.includes(item.dataset.problem);
    });
    problems.hidden = !found.length;
    for (const name of ["tel", "mail"]) {
      const field = form.elements[name];
      if (field && found.includes(name)) {
        field.setAttribute("aria-invalid", "true");
      } else if (field) {
        field.removeAttribute("aria-invalid");
      }
    }
  }

  form.noValidate = true;
  form.addEventListener("submit", (event) => {
    const found = missing();
    tell(found);
    say(said, "");
    if (found.length) {
      event.preventDefault();
      problems.focus();
    } else if (push && push.checked) {
      event.preventDefault();
      subscribe();
    }
  });
  form.addEventListener("change", () => {
    if (!problems.hidden) {
      tell(missing());
    }
  });

  // Installing

  window.addEventListener("beforeinstallprompt", (offer) => {
    const place = document.querySelector("[data-install]");
    offer.preventDefault();
    place.hidden = false;
    place.querySelector("button").onclick = () => {
      place.hidden = true;
      offer.prompt();
    };
  });

  if (!push) {
    return;
  }

  // Push

  function bytes(base64url) {
    const text = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  }

  function sameKey(subscription, key) {
    const theirs = subscription.options && subscription.options.applicationServerKey;
    return !theirs || new Uint8Array(theirs).join() === key.join();
  }

  // The permission is asked for first, in the click itself: Safari and Firefox refuse it later on
  async function address() {
    say(said, "asking");
    const permission = await Notification.requestPermission();
    if (permission !== "granted") {
      throw new Told(permission === "denied" ? "denied" : "dismissed");
    }
    say(said, "sending");
    let registration;
    try {
      await navigator.serviceWorker.register(form.dataset.worker, { updateViaCache: "none" });
      registration = await navigator.serviceWorker.ready;
    } catch (error) {
      throw new Told("private");
    }
    const key = bytes(form.dataset.vapid);
    try {
      const before = await registration.pushManager.getSubscription();
      if (before && !sameKey(before, key)) {
        await before.unsubscribe(); // made for another key, it would be refused
      }
      return await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    } catch (error) {
      throw new Told(error.name === "NotAllowedError" ? "denied" : "service");
    }
  }

  async function hand(subscription) {
    const given = new FormData(form);
    const body = {
      subscription: subscription.toJSON(),
      area: given.getAll("area"),
      least: given.get("least"),
      topic: given.getAll("topic"),
      lang: given.get("lang"),
      tests: given.has("tests"),
      page: given.get("page"),
    };
    let answer;
    let told;
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE);
    try {
      answer = await fetch(form.dataset.push, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        credentials: "omit",
        body: JSON.stringify(body),
        signal: patience.signal,
      });
      told = (answer.headers.get("Content-Type") || "").startsWith("application/json") ? await answer.json() : {};
    } catch (error) {
      throw new Told("network");
    } finally {
      clearTimeout(timer);
    }
    if (!answer.ok || !/^\/s\/manage\/[^/]+\/$/.test(told.manage)) {
      throw told.error ? new Told("refused", told.error) : new Told("network");
    }
    await remember({ subscription: body.subscription, manage: told.manage });
    return told.manage;
  }

  async function subscribe() {
    button.disabled = true;
    try {
      location.assign(await hand(await address()));
    } catch (error) {
      if (!(error instanceof Told)) {
        say(said, "service");
        throw error;
      }
      say(said, error.message, error.words);
      said.scrollIntoView({ block: "nearest" });
    } finally {
      button.disabled = false;
    }
  }

  async function greet() {
    const already = document.getElementById("already");
    if (!(await subscribed())) {
      return;
    }
    const note = await remembered();
    const link = already.querySelector("[data-manage]");
    if (note) {
      link.href = note.manage;
    }
    link.hidden = !note;
    already.querySelector("[data-lost]").hidden = Boolean(note);
    already.hidden = false;
  }

  const words = document.getElementById("push-words");
  if (!supported || !form.dataset.vapid) {
    say(words, apple && !navigator.standalone ? "home-screen" : "unsupported");
    document.getElementById("ios").open = apple;
  } else if (Notification.permission === "denied") {
    say(words, "blocked");
  } else {
    say(words, "");
    push.disabled = false;
    button.hidden = false;
    if (form.querySelectorAll("input[name=way]").length === 1) {
      push.checked = true;
    }
    greet();
  }
})();

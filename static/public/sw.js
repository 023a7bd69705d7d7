// The service worker: shows what is pushed, keeps the newest warnings readable without a network.
// BELFRY, put before this by channels/city/app.py, is what it knows of its city.
"use strict";

const LOOK = `belfry-look-${BELFRY.look}`;
const PAGES = "belfry-pages";
const OWN = "belfry-own";
const OWN_KEY = "/own-subscription";
const HOMES = Object.values(BELFRY.homes);
const MOST_PAGES = 40;
const MOST_WARNINGS = 10;
const INSTALL_PATIENCE = 15;
const NOTE = '<div class="note note-top" data-stored hidden>';
const NOTE_SHOWN = '<div class="note note-top" data-stored>';
const CARD = /<article class="alert-card[^>]*data-identifier="([^"]*)"[^]*?<a href="([^"]*)"/g;

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// Life and renewal

self.addEventListener("install", (event) => event.waitUntil(install()));

async function install() {
  const look = await caches.open(LOOK);
  const home = BELFRY.homes[language()];
  // A file that does not come must not keep the worker from being there: pushes are worth more
  await Promise.allSettled([
    ...[...BELFRY.assets, ...HOMES.map(offlineOf)].map((path) => look.add(timely(path))),
    visit(home),
  ]);
  // What is stored is read with any version of the worker, so none has to wait for open pages to close
  await self.skipWaiting();
}

self.addEventListener("activate", (event) => event.waitUntil(activate()));

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith("belfry-") && ![LOOK, PAGES, OWN].includes(name));
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

function timely(path) {
  return new Request(path, { signal: AbortSignal.timeout(INSTALL_PATIENCE * 1000), cache: "no-cache" });
}

// The language of the city that this device reads, else the city's first
function language() {
  const known = Object.keys(BELFRY.homes);
  const wanted = (self.navigator.languages || [self.navigator.language]).map((tag) => tag.toLowerCase());
  return wanted.map((tag) => known.find((one) => one === tag || one === tag.split("-")[0])).find(Boolean) || known[0];
}

function homeOf(path) {
  return HOMES.filter((home) => path.startsWith(home)).sort((one, other) => other.length - one.length)[0] || HOMES[0];
}

function offlineOf(home) {
  return `${home}offline/`;
}

// Pages: the network first, since a warning is worth nothing when it is old; what is stored only stands in

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) {
    return;
  }
  if (url.pathname.startsWith("/assets/")) {
    event.respondWith(asset(event.request, url.pathname));
  } else if (event.request.mode === "navigate" && isPage(url.pathname)) {
    const asked = fetch(event.request);
    const kept = asked.then((answer) => keep(url.pathname, answer.clone()));
    event.waitUntil(Promise.allSettled([kept, handOver()]));
    event.respondWith(page(event, url.pathname, asked, kept));
  }
});

// Whether this is a page of the public folder: never the desk, what residents tell us, or a file
function isPage(path) {
  return path.endsWith("/") && !/^\/(?:s|desk|i18n|static|healthz|cap|feeds)\//.test(path);
}

// Pages that are kept: what holds, each alert, and how to subscribe
function isKept(path) {
  return /^(?:alerts\/[^/]+\/|subscribe\/|about\/)?$/.test(path.slice(homeOf(path).length));
}

async function page(event, path, asked, kept) {
  const answer = await Promise.race([asked.catch(() => null), pause(BELFRY.patience)]);
  if (answer && answer.status < 500) {
    return answer;
  }
  const copy = await (await caches.open(PAGES)).match(path);
  if (copy) {
    event.waitUntil(kept.then(() => tellFresh(event.resultingClientId, path)).catch(() => {})); // still no network
    return withNote(copy);
  }
  try {
    return answer || (await asked);
  } catch (error) {
    return (await caches.match(offlineOf(homeOf(path)))) || Response.error();
  }
}

// Says in the page itself, before any script, that it is the stored copy; it prints its own time
async function withNote(copy) {
  const headers = new Headers(copy.headers);
  ["Content-Encoding", "Content-Length", "ETag"].forEach((name) => headers.delete(name));
  return new Response((await copy.text()).replace(NOTE, NOTE_SHOWN), { headers });
}

async function tellFresh(id, path) {
  const client = await self.clients.get(id);
  if (client) {
    client.postMessage({ fresh: path });
  }
}

async function keep(path, answer) {
  const cache = await caches.open(PAGES);
  if (answer.status === 404) {
    await cache.delete(path);
    return;
  }
  const media = answer.headers.get("Content-Type") || "";
  if (!answer.ok || answer.type !== "basic" || answer.redirected || !media.startsWith("text/html") || !isKept(path)) {
    return;
  }
  const copy = answer.clone();
  await cache.put(path, answer);
  await forgetOldest(cache);
  if (HOMES.includes(path)) {
    await keepWarnings(cache, await copy.text());
  }
}

// What the index lists can be read without a network too
async function keepWarnings(cache, index) {
  const listed = [...index.matchAll(CARD)].slice(0, MOST_WARNINGS);
  await Promise.allSettled(
    listed.map(async ([, identifier, path]) => {
      const stored = await cache.match(path);
      if (!stored || !(await stored.text()).includes(`"${identifier}"`)) {
        await visit(path);
      }
    }),
  );
}

async function visit(address) {
  const { pathname } = new URL(address, self.location.origin);
  if (!isKept(pathname)) {
    return; // a resident's own page, to which a service text leads
  }
  await keep(pathname, await fetch(timely(pathname), { credentials: "omit" }));
}

// Cache keys come in the order in which they were last written
async function forgetOldest(cache) {
  const kept = (await cache.keys()).filter((request) => !HOMES.includes(new URL(request.url).pathname));
  await Promise.all(kept.slice(0, Math.max(0, kept.length - MOST_PAGES)).map((request) => cache.delete(request)));
}

// An asset's name changes with its content. A stored page may ask for one that is gone: the newest of its kind does
async function asset(request, path) {
  const look = await caches.open(LOOK);
  const own = await look.match(path);
  if (own) {
    return own;
  }
  try {
    const answer = await fetch(request);
    if (answer.ok) {
      return answer;
    }
  } catch (error) {
    // no network: what is stored has to do
  }
  const kind = (name) => name.replace(/\.[0-9a-f]+(?=\.\w+$)/, "");
  const other = BELFRY.assets.find((one) => kind(one) === kind(path));
  return (other && (await look.match(other))) || Response.error();
}

// Push: something is shown whatever comes, else the browser would take the permission away

self.addEventListener("push", (event) => event.waitUntil(announce(event.data)));

async function announce(data) {
  const said = read(data);
  await self.registration.showNotification(said.title, said.options);
  if (said.count && self.navigator.setAppBadge) {
    await self.navigator.setAppBadge(said.count);
  }
  // All phones of a city are woken at once: each takes its time to fetch the page
  await pause(Math.random() * BELFRY.spread);
  await Promise.allSettled([visit(said.options.data.address), handOver()]);
}

function read(data) {
  let given = {};
  try {
    const payload = data.json();
    given = (payload.web_push === 8030 && payload.notification) || {};
  } catch (error) {
    // empty or no JSON: the page says what there is
  }
  const text = (value) => (typeof value === "string" ? value : "");
  const readable = text(given.title) !== "";
  const tongue = BELFRY.words[given.lang] ? given.lang : language();
  const words = BELFRY.words[tongue];
  const address = ownAddress(given.navigate) || BELFRY.homes[tongue];
  const tag = text(given.tag) || (readable ? address : "belfry");
  const silent = given.silent === true;
  return {
    title: readable ? given.title : words.title,
    count: Number.parseInt(given.app_badge, 10) || 0,
    options: {
      body: readable ? text(given.body) : words.body,
      lang: text(given.lang) || tongue,
      dir: ["ltr", "rtl"].includes(given.dir) ? given.dir : "auto",
      tag,
      // an update takes the place of what it updates, and is heard again
      renotify: !silent,
      silent,
      requireInteraction: given.requireInteraction === true || given.require_interaction === true,
      icon: BELFRY.icon,
      badge: BELFRY.badge,
      data: { address },
    },
  };
}

// The address, where it is on this site; empty for any other, and for what is none
function ownAddress(address) {
  try {
    const url = new URL(address, self.location.origin);
    return typeof address === "string" && url.origin === self.location.origin ? url.href : "";
  } catch (error) {
    return "";
  }
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { address } = event.notification.data || { address: BELFRY.homes[language()] };
  event.waitUntil(show(address));
});

async function show(address) {
  if (self.navigator.clearAppBadge) {
    await self.navigator.clearAppBadge();
  }
  const target = new URL(address, self.location.origin);
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((one) => new URL(one.url).pathname === target.pathname);
  if (!there) {
    return self.clients.openWindow(target.href);
  }
  const shown = await there.focus();
  // what stands in it may be older than the push; a page that this worker does not govern can't be sent anywhere
  return shown.navigate(target.href).catch(() => shown);
}

// The browser gave this device another push address: the city's server is told both, again until it has heard it

self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(changed(event)));

async function changed(event) {
  const note = (await recall()) || {};
  const before = event.oldSubscription ? event.oldSubscription.toJSON() : note.subscription || null;
  const options = (event.oldSubscription && event.oldSubscription.options) || {
    userVisibleOnly: true,
    applicationServerKey: BELFRY.vapid,
  };
  const now = event.newSubscription || (await self.registration.pushManager.subscribe(options));
  await remember({ ...note, subscription: now.toJSON(), owed: note.owed || before });
  await handOver();
}

async function handOver() {
  const note = await recall();
  if (!note || !note.owed) {
    return;
  }
  const answer = await fetch("/s/push/changed/", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "omit",
    body: JSON.stringify({ old: note.owed, new: note.subscription }),
  });
  if (answer.status < 500 && answer.status !== 429) {
    delete note.owed;
    await remember(note);
  }
}

async function recall() {
  const note = await (await caches.open(OWN)).match(OWN_KEY);
  return note ? note.json() : null;
}

async function remember(note) {
  await (await caches.open(OWN)).put(OWN_KEY, new Response(JSON.stringify(note)));
}

// The map of the compose page: choose districts, draw areas, set circles. What it does goes into the form's own
// fields, and what is typed there comes back onto the map; without it the form does the same.

import { Fields, middle, point, polygons, showPoint, withPolygon } from "./map-form.js";
import { Sheet } from "./map-sheet.js";
import { fill, length } from "./map-words.js";

const NEW_RADIUS = 500;
const PAN = 40;
const MOST_GRIPS = 60;
const LEVELS = { Extreme: "extreme", Severe: "severe", Moderate: "moderate", Minor: "minor", Unknown: "severe" };

const root = document.getElementById("area-map");
const form = document.getElementById("draft-form");
const part = (selector) => root.querySelector(selector);
const words = root ? JSON.parse(root.dataset.words) : {};

class AreaMap {
  constructor(districts) {
    this.fields = new Fields(form);
    this.box = part(".area-live");
    this.box.hidden = false;
    this.sheet = new Sheet(this.box, districts, root.dataset.tiles);
    this.tool = "choose";
    this.corners = []; // of the area that is being drawn
    this.picked = null; // the shape taken hold of: {kind, number}
    this.past = []; // the form's states before each step
    this.kept = this.fields.read();
    this.show();
    this.fit();
    this.listen();
    root.querySelectorAll(".area-tools button").forEach((button) => { button.disabled = false; });
    part(".area-zoom").hidden = false;
    part(".area-box > svg").setAttribute("hidden", "");
    root.dataset.ready = "";
  }

  listen() {
    const { map } = this.sheet;
    form.addEventListener("input", (event) => { if (!this.busy && this.fields.owns(event.target)) this.show(); });
    form.addEventListener("change", (event) => {
      if (event.target.name === "severity") this.recolour(event.target.value);
      if (!this.busy && this.fields.owns(event.target)) this.keep();
    });
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button && button.dataset.tool) this.take(button.dataset.tool);
      else if (button && button.dataset.act) this[button.dataset.act](button);
    });
    form.querySelector("button[name=action][value=circle]").addEventListener("click", (event) => {
      event.preventDefault();
      const row = this.fields.addRow();
      if (row) row.querySelector("input").focus();
      else this.say(words.no_room);
    });
    map.on("click", (event) => this.act(event.latlng));
    map.on("mousemove", (event) => this.hover(event.latlng));
    map.on("mouseout", () => this.hover(null));
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.sheet.letScroll((scrolling) => this.under(scrolling ? words.two : ""));
    // What the server counted after a step is said together with it
    const where = root.parentElement;
    const counted = () => where.querySelector("[data-said]")?.dataset.said || "";
    let before = counted();
    new MutationObserver(() => {
      const now = counted();
      if (now === before) return;
      before = now;
      if (this.unsaid) this.say(`${this.unsaid} ${now}`);
      this.unsaid = "";
    }).observe(where, { childList: true, subtree: true });
  }

  // What is said

  say(text) {
    part("#area-said").textContent = text;
  }

  under(text) {
    part(".area-under").textContent = text;
    part(".area-under").hidden = !text;
  }

  hover(spot) {
    if (spot && this.corners.length) this.thread(spot);
    this.under((spot && this.sheet.at(spot)?.name) || "");
  }

  recolour(severity) {
    const box = part(".area-box");
    if (!Object.values(LEVELS).some((level) => box.classList.contains(`sev-${level}`))) return;
    box.className = `area-box sev-${LEVELS[severity]}`;
  }

  // The form

  /** A step made on the map: written into the form, shown and said. */
  step(state, text) {
    this.busy = true;
    this.fields.write(state);
    this.busy = false;
    this.keep();
    this.unsaid = text;
    this.say(text);
  }

  /** Take note of what the form says now, as a step that can be taken back. */
  keep() {
    const now = this.fields.read();
    if (JSON.stringify(now) === JSON.stringify(this.kept)) return;
    this.past.push(this.kept);
    this.kept = now;
    this.show();
  }

  show() {
    const state = this.fields.read();
    this.circles = state.circles.map(([centre, radius]) => {
      const at = point(centre);
      const metres = Number(radius.replace(",", "."));
      return at && metres > 0 && metres <= 500000 ? { at, metres } : null;
    });
    this.areas = polygons(state.polygons);
    this.chosen = new Set(this.sheet.districts.filter(({ code, above }) => [code, ...above].some((one) => state.districts.includes(one))).map(({ code }) => code));
    if (this.picked && !(this.picked.kind === "circle" ? this.circles : this.areas)[this.picked.number]) this.picked = null;
    this.sheet.shapes(this.circles, this.areas);
    this.sheet.paint(this.chosen);
    const count = form.querySelector("[data-chosen]");
    if (count) count.textContent = state.districts.length ? `(${state.districts.length})` : "";
    this.regrip();
  }

  fit() {
    this.sheet.fit(this.chosen);
  }

  undo() {
    if (this.corners.length) return this.shorter();
    const before = this.past.pop();
    if (!before) return this.say(words.nothing_undone);
    this.step(before, words.undone);
    this.past.pop(); // taking back is no step of its own
  }

  // Tools

  take(tool) {
    if (this.corners.length) this.stop();
    this.tool = tool;
    this.leave();
    root.querySelectorAll("button[data-tool]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.tool === tool)));
    this.box.dataset.tool = tool;
    this.say(words[tool]);
    this.regrip();
  }

  act(spot) {
    if (this.tool === "draw") this.corner(spot);
    else if (this.tool === "circle") this.circle(spot);
    else this.toggle(this.sheet.at(spot));
  }

  /** Choose a district, or drop it; where all of what it is part of was chosen, the other parts stay. */
  toggle(district) {
    if (!district) return this.say(words.nothing_here);
    const state = this.fields.read();
    const on = new Set(state.districts);
    const meant = [district.code, ...district.above].filter((code) => on.has(code));
    meant.forEach((code) => on.delete(code));
    if (!meant.length) on.add(district.code);
    for (const other of this.sheet.districts) {
      if (other !== district && other.above.some((code) => meant.includes(code))) on.add(other.code);
    }
    this.step({ ...state, districts: [...on] }, fill(meant.length ? words.dropped : words.chosen, { name: district.name }));
  }

  circle({ lat, lng }) {
    const number = this.fields.freeRow();
    if (number < 0) return this.say(words.no_room);
    const state = this.fields.read();
    const metres = Number(state.circles[number][1].replace(",", ".")) || NEW_RADIUS;
    state.circles[number] = [showPoint([lat, lng]), String(metres)];
    this.take("choose");
    this.step(state, fill(words.circle_set, { radius: length(metres) }));
  }

  corner({ lat, lng }) {
    this.corners.push([lat, lng]);
    this.drawing();
  }

  shorter() {
    this.corners.pop();
    this.drawing();
  }

  drawing() {
    const count = this.corners.length;
    const text = fill(count === 0 ? words.corners_0 : count === 1 ? words.corners_1 : words.corners, { count });
    this.say(text);
    this.offer(...(count ? ["close", "stop"] : []));
    this.thread();
    this.regrip();
  }

  thread(on) {
    this.sheet.thread(this.corners, on);
  }

  close() {
    if (this.corners.length < 3) return this.say(words.few);
    const state = this.fields.read();
    const number = polygons(state.polygons).length;
    const count = this.corners.length;
    state.polygons = withPolygon(state.polygons, number, this.corners);
    this.corners = [];
    this.thread();
    this.take("choose");
    this.step(state, fill(words.drawn, { count }));
    this.box.focus({ preventScroll: true });
  }

  stop(button) {
    this.corners = [];
    this.thread();
    this.offer();
    this.regrip();
    this.say(words.stopped);
    if (button) this.box.focus({ preventScroll: true });
  }

  // Shapes taken hold of

  pick(kind, number) {
    const same = this.picked && this.picked.kind === kind && this.picked.number === number;
    this.picked = { kind, number };
    const shape = (kind === "circle" ? this.circles : this.areas)[number];
    const text = kind === "circle" ? fill(words.circle_name, { number: number + 1, radius: length(shape.metres) }) : fill(words.area_name, { number: number + 1, count: shape.length });
    this.offer("drop", "leave");
    if (!same) this.say(text);
    if (!same && kind === "area") this.gripCorners(number, shape);
  }

  leave(button) {
    this.picked = null;
    this.offer();
    this.regrip();
    if (button) this.box.focus({ preventScroll: true });
  }

  drop() {
    const { kind, number } = this.picked;
    const state = this.fields.read();
    if (kind === "circle") state.circles[number] = ["", ""];
    else state.polygons = withPolygon(state.polygons, number, null);
    this.leave(this.box);
    this.step(state, kind === "circle" ? words.circle_gone : words.area_gone);
  }

  /** Two buttons take the place of two others, while there is something to end. */
  offer(...acts) {
    root.querySelectorAll("[data-turn]").forEach((button) => {
      const { act } = button.dataset;
      button.hidden = acts.length ? !acts.includes(act) : !["fit", "size"].includes(act);
    });
  }

  /** The grips anew; whoever held one by the keyboard still does. */
  regrip() {
    const held = document.activeElement?.dataset?.key;
    this.sheet.grips.clearLayers();
    if (this.corners.length) {
      this.corners.forEach((corner, at) => this.sheet.grip(corner, {
        kind: at ? "is-dot" : "is-corner", key: `new-${at}`, label: at ? fill(words.move_corner, { number: at + 1 }) : words.close_here,
        picked: () => { if (!at) this.close(); },
      }));
    } else if (this.tool === "choose") {
      this.circles.forEach((circle, number) => circle && this.gripCircle(number, circle));
      this.areas.forEach((corners, number) => corners && this.gripArea(number, corners));
      const { kind, number } = this.picked || {};
      if (kind) this.pick(kind, number);
      if (kind === "area") this.gripCorners(number, this.areas[number]);
    }
    if (held) this.box.querySelector(`[data-key="${held}"]`)?.focus({ preventScroll: true });
  }

  gripCircle(number, circle) {
    let { at, metres } = circle;
    const layer = this.sheet.round[number];
    const done = () => {
      const state = this.fields.read();
      state.circles[number] = [showPoint(at), String(metres)];
      this.step(state, fill(words.circle_moved, { centre: showPoint(at), radius: length(metres) }));
      this.pick("circle", number);
    };
    const picked = () => this.pick("circle", number);
    const gone = () => { picked(); this.drop(); };
    this.sheet.grip(at, {
      kind: "is-middle", key: `middle-${number}`, label: fill(words.move_circle, { number: number + 1 }), done, gone, picked,
      moved: ({ lat, lng }) => {
        at = [lat, lng];
        layer.setLatLng(at);
        edge.setLatLng(this.sheet.east(at, metres));
      },
    });
    const edge = this.sheet.grip(this.sheet.east(at, metres), {
      kind: "is-edge", key: `edge-${number}`, label: fill(words.move_radius, { number: number + 1 }), done, gone, picked,
      moved: (spot) => {
        const wide = this.sheet.map.distance(at, spot);
        metres = Math.min(100000, Math.max(10, wide < 1000 ? Math.round(wide / 10) * 10 : Math.round(wide / 50) * 50));
        layer.setRadius(metres);
      },
    });
  }

  gripArea(number, corners) {
    const from = middle(corners);
    let now = corners;
    const picked = () => this.pick("area", number);
    this.sheet.grip(from, {
      kind: "is-middle", key: `area-${number}`, label: fill(words.move_area, { number: number + 1 }), picked,
      gone: () => { picked(); this.drop(); },
      moved: ({ lat, lng }) => {
        now = corners.map((corner) => [corner[0] + lat - from[0], corner[1] + lng - from[1]]);
        this.sheet.flat[number].setLatLngs(now);
      },
      done: () => this.redrawn(number, now, words.area_moved),
    });
  }

  gripCorners(number, corners) {
    if (corners.length > MOST_GRIPS) return;
    const now = corners.map((corner) => [...corner]);
    corners.forEach((corner, at) => this.sheet.grip(corner, {
      kind: "is-corner", key: `corner-${number}-${at}`, label: fill(words.move_corner, { number: at + 1 }),
      picked: () => this.pick("area", number),
      gone: () => (now.length > 3 ? this.redrawn(number, now.filter((_one, other) => other !== at), words.corner_gone) : this.say(words.few)),
      moved: ({ lat, lng }) => {
        now[at] = [lat, lng];
        this.sheet.flat[number].setLatLngs(now);
      },
      done: () => this.redrawn(number, now, words.corner_moved),
    }));
  }

  redrawn(number, corners, text) {
    const state = this.fields.read();
    state.polygons = withPolygon(state.polygons, number, corners);
    this.step(state, text);
  }

  // Looking around

  key(event) {
    if (event.target !== this.box || event.altKey || event.ctrlKey || event.metaKey) return;
    const { map } = this.sheet;
    const by = event.shiftKey ? 4 * PAN : PAN;
    const way = { ArrowUp: [0, -by], ArrowDown: [0, by], ArrowLeft: [-by, 0], ArrowRight: [by, 0] }[event.key];
    if (way) {
      map.panBy(way, { animate: false });
      if (this.corners.length) this.thread(map.getCenter());
      const here = this.sheet.at(map.getCenter());
      this.say(here ? fill(this.chosen.has(here.code) ? words.here_chosen : words.here, { name: here.name }) : words.nothing_here);
    } else if (event.key === "Enter" || event.key === " ") this.act(map.getCenter());
    else if (event.key === "+" || event.key === "=") this.in();
    else if (event.key === "-") this.out();
    else if (event.key === "Escape") this.take("choose");
    else if (event.key === "Backspace" && this.corners.length) this.shorter();
    else return;
    event.preventDefault();
  }

  in() {
    this.sheet.map.zoomIn(null, { animate: false });
  }

  out() {
    this.sheet.map.zoomOut(null, { animate: false });
  }

  size(button) {
    const large = root.classList.toggle("is-large");
    button.textContent = large ? words.smaller : words.larger;
    this.sheet.map.invalidateSize({ animate: false, pan: false });
    this.fit();
  }
}

if (root && form && window.L) {
  fetch(root.dataset.outlines, { credentials: "same-origin" })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.status))))
    .then((districts) => new AreaMap(districts))
    .catch((error) => {
      part(".area-live").hidden = true;
      part("#area-said").textContent = words.failed;
      console.warn(error);
    });
}

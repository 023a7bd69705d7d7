// The sheet: Leaflet with the districts' outlines, what is chosen and drawn on it, and the grips to take hold of.
/* global L */

const QUIET = { interactive: false, fillOpacity: 1, opacity: 1 };
const NAME_PX = 7.5;
const HERE = [[51.2, 12.2], [51.5, 12.6]]; // where there is no district at all

/** An element for one of Leaflet's icons; Leaflet itself would take a string for HTML. */
function mark(kind) {
  const element = document.createElement("span");
  element.className = kind;
  return element;
}

function inRing([lat, lon], ring) {
  let inside = false;
  for (let at = 0, before = ring.length - 1; at < ring.length; before = at++) {
    const [lat1, lon1] = ring[at];
    const [lat2, lon2] = ring[before];
    if (lat1 > lat !== lat2 > lat && lon < ((lon2 - lon1) * (lat - lat1)) / (lat2 - lat1) + lon1) inside = !inside;
  }
  return inside;
}

export class Sheet {
  constructor(box, districts, tiles) {
    this.districts = districts;
    this.map = L.map(box, {
      attributionControl: false,
      boxZoom: false,
      doubleClickZoom: false,
      fadeAnimation: false,
      inertia: false,
      keyboard: false,
      maxZoom: 18,
      minZoom: 8,
      zoomAnimation: false,
      zoomControl: false,
      zoomSnap: 0.25,
      zoomDelta: 0.75,
    });
    const spots = districts.flatMap(({ rings }) => rings.flat(2));
    this.whole = spots.length ? L.latLngBounds(spots) : L.latLngBounds(HERE);
    this.map.fitBounds(this.whole, { animate: false });
    this.map.createPane("names").style.zIndex = 450;
    for (const pane of ["overlayPane", "names", "tilePane"]) this.map.getPane(pane).setAttribute("aria-hidden", "true");
    if (tiles) L.tileLayer(tiles, { maxZoom: 18 }).addTo(this.map);
    this.city = L.featureGroup().addTo(this.map);
    this.names = L.layerGroup().addTo(this.map);
    this.drawn = L.featureGroup().addTo(this.map);
    this.line = L.layerGroup().addTo(this.map);
    this.grips = L.layerGroup().addTo(this.map);
    this.layers = new Map();
    for (const district of districts) {
      const layer = L.polygon(district.rings, { ...QUIET, className: "map-area area-district" });
      this.layers.set(district.code, layer.addTo(this.city));
    }
    this.map.on("zoomend", () => this.label());
  }

  /** One finger scrolls the page (``hint(true)`` meanwhile), two move the map; the wheel alone scrolls the page too. */
  letScroll(hint) {
    const box = this.map.getContainer();
    const touch = (event) => event.pointerType === "touch";
    box.addEventListener("pointerdown", (event) => this.map.dragging[touch(event) ? "disable" : "enable"](), { capture: true });
    box.addEventListener("touchmove", (event) => hint(event.touches.length === 1 && !event.target.closest(".area-grip-at")), { passive: true });
    box.addEventListener("touchend", () => hint(false));
    box.addEventListener("wheel", (event) => { if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); }, { capture: true });
  }

  /** The district at a place, if any. */
  at({ lat, lng }) {
    const spot = [lat, lng];
    return this.districts.find((district) =>
      district.rings.some(([outer, ...holes]) => inRing(spot, outer) && !holes.some((hole) => inRing(spot, hole))),
    );
  }

  paint(chosen) {
    for (const district of this.districts) {
      const path = this.layers.get(district.code).getElement();
      const is = chosen.has(district.code);
      path.classList.toggle("is-chosen", is);
      path.dataset.code = district.code;
      if (is) this.layers.get(district.code).bringToFront();
    }
    this.drawn.bringToFront();
  }

  /** Names where there is room for them. */
  label() {
    this.names.clearLayers();
    for (const district of this.districts) {
      const bounds = this.layers.get(district.code).getBounds();
      const wide = this.map.latLngToLayerPoint(bounds.getNorthEast()).x - this.map.latLngToLayerPoint(bounds.getSouthWest()).x;
      if (wide < district.name.length * NAME_PX) continue;
      const words = mark("area-name");
      words.textContent = district.name;
      const icon = L.divIcon({ className: "area-name-at", html: words, iconSize: [0, 0] });
      L.marker(district.at, { icon, interactive: false, keyboard: false, pane: "names" }).addTo(this.names);
    }
  }

  shapes(circles, polygons) {
    this.drawn.clearLayers();
    this.round = circles.map((circle) => circle && L.circle(circle.at, { ...QUIET, radius: circle.metres, className: "map-ring" }).addTo(this.drawn));
    this.flat = polygons.map((corners) => corners && L.polygon(corners, { ...QUIET, className: "map-ring" }).addTo(this.drawn));
  }

  /** A grip that can be dragged, and moved by the arrow keys; ``key`` finds it again after it was drawn anew. */
  grip(at, { kind, key, label, moved, done, gone, picked }) {
    const icon = L.divIcon({ className: "area-grip-at", html: mark(`area-grip ${kind}`), iconSize: [36, 36] });
    const marker = L.marker(at, { icon, draggable: Boolean(moved), keyboard: false, autoPan: true, bubblingMouseEvents: false });
    marker.addTo(this.grips);
    const element = marker.getElement();
    Object.assign(element, { tabIndex: 0 });
    element.dataset.key = key;
    element.setAttribute("role", "button");
    element.setAttribute("aria-label", label);
    marker.on("drag", () => moved(marker.getLatLng()));
    marker.on("dragend", () => done());
    marker.on("click", () => picked());
    element.addEventListener("focus", () => picked && moved && picked(true));
    element.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 2 : 10;
      const by = { ArrowUp: [0, -step], ArrowDown: [0, step], ArrowLeft: [-step, 0], ArrowRight: [step, 0] }[event.key];
      if (by && moved) {
        const place = this.map.latLngToContainerPoint(marker.getLatLng()).add(by);
        marker.setLatLng(this.map.containerPointToLatLng(place));
        moved(marker.getLatLng());
        done();
      } else if (event.key === "Enter" || event.key === " ") {
        picked();
      } else if ((event.key === "Delete" || event.key === "Backspace") && gone) {
        gone();
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });
    return marker;
  }

  /** Where the radius of a circle is taken hold of: due east. */
  east(at, metres) {
    const east = L.latLng(at).toBounds(2 * metres).getEast();
    return L.latLng(at[0], east);
  }

  /** What is being drawn: a line through the corners, and on to where the pointer is. */
  thread(corners, on) {
    this.line.clearLayers();
    if (corners.length) L.polyline(on ? [...corners, on] : corners, { ...QUIET, fill: false, className: "area-line" }).addTo(this.line);
  }

  fit(codes) {
    const bounds = L.latLngBounds([]);
    this.drawn.eachLayer((layer) => bounds.extend(layer.getBounds()));
    for (const code of codes) bounds.extend(this.layers.get(code).getBounds());
    this.map.fitBounds(bounds.isValid() ? bounds.pad(0.15) : this.whole, { animate: false, maxZoom: 15 });
  }
}

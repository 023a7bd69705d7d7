// The area as it stands in the form: check boxes, typed circles, typed corners. The form is the truth; the map
// reads it, and writes into it what an officer draws.

const PAIR = /^\s*\(?\s*(-?\d{1,3}(?:[.,]\d+)?)\s*[,;\s]\s*(-?\d{1,3}(?:[.,]\d+)?)\s*\)?\s*$/;
export const MOST_CIRCLES = 20;

/** "51.3348, 12.3727" as [lat, lon]; null where it is no place, or not yet. */
export function point(text) {
  const match = PAIR.exec(text);
  if (!match) return null;
  const [lat, lon] = [match[1], match[2]].map((part) => Number(part.replace(",", ".")));
  return Math.abs(lat) <= 85 && Math.abs(lon) <= 180 ? [lat, lon] : null;
}

export function showPoint([lat, lon]) {
  return `${Number(lat.toFixed(5))}, ${Number(lon.toFixed(5))}`;
}

/** The point in the middle of these corners. */
export const middle = (corners) => [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length);

/** Areas as lists of corners, without the closing one; a block that can't be read is null, so that numbers stay. */
export function polygons(text) {
  return text
    .split(/\n[^\S\n]*\n/)
    .map((block) => block.split("\n").filter((line) => line.trim()))
    .filter((lines) => lines.length)
    .map((lines) => {
      const corners = lines.map(point);
      if (corners.some((corner) => !corner)) return null;
      const [first, last] = [corners[0], corners.at(-1)];
      if (corners.length > 3 && first[0] === last[0] && first[1] === last[1]) corners.pop();
      return corners.length < 3 ? null : corners;
    });
}

/** The text with one area replaced, or taken out (null), or with one more at its end; other blocks stay as typed. */
export function withPolygon(text, at, corners) {
  const blocks = text.split(/\n[^\S\n]*\n/).map((block) => block.replace(/^\n+|\n+$/g, "")).filter((block) => block.trim());
  const words = corners ? [corners.map(showPoint).join("\n")] : [];
  blocks.splice(at, 1, ...words);
  return blocks.join("\n\n");
}

export class Fields {
  constructor(form) {
    this.form = form;
  }

  boxes() {
    return [...this.form.querySelectorAll("input[name=districts]")];
  }

  rows() {
    return [...this.form.querySelectorAll("[data-circle]")].map((row) => [
      row.querySelector("[name$=-centre]"),
      row.querySelector("[name$=-metres]"),
    ]);
  }

  corners() {
    return this.form.elements.polygons;
  }

  owns(element) {
    return element.name === "districts" || element.name === "polygons" || /^circle-\d+-/.test(element.name);
  }

  /** All of it as typed. */
  read() {
    return {
      districts: this.boxes().filter((box) => box.checked).map((box) => box.value),
      circles: this.rows().map(([centre, metres]) => [centre.value, metres.value]),
      polygons: this.corners().value.replace(/\r\n/g, "\n"),
    };
  }

  /** Put it there, and let everybody know who listens to these fields. */
  write(state) {
    const changed = [];
    const put = (field, value) => {
      if (field.value.replace(/\r\n/g, "\n") === value) return;
      field.value = value;
      changed.push(field);
    };
    const wanted = new Set(state.districts);
    for (const box of this.boxes()) {
      if (box.checked === wanted.has(box.value)) continue;
      box.checked = !box.checked;
      changed.push(box);
    }
    while (this.rows().length < state.circles.length && this.addRow());
    this.rows().forEach(([centre, metres], number) => {
      const [middle, radius] = state.circles[number] || ["", ""];
      put(centre, middle);
      put(metres, radius);
    });
    put(this.corners(), state.polygons);
    for (const field of changed) {
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }

  /** One more pair of fields for a circle; null where there are as many as the form reads. */
  addRow() {
    const rows = [...this.form.querySelectorAll("[data-circle]")];
    if (rows.length >= MOST_CIRCLES) return null;
    const row = rows.at(-1).cloneNode(true);
    const named = (text) => text.replace(/circle-\d+-/g, `circle-${rows.length}-`);
    row.querySelectorAll(".errors").forEach((errors) => errors.remove());
    row.querySelectorAll("[id], [for], [name]").forEach((element) => {
      for (const name of ["id", "for", "name"]) {
        if (element.hasAttribute(name)) element.setAttribute(name, named(element.getAttribute(name)));
      }
    });
    row.querySelectorAll("input").forEach((input) => {
      input.value = "";
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    });
    rows.at(-1).after(row);
    this.form.elements.circle_count.value = rows.length + 1;
    return row;
  }

  /** The number of the first circle without a centre; a row is added where all are taken. -1 where none fits. */
  freeRow() {
    const free = this.rows().findIndex(([centre]) => !centre.value.trim());
    if (free >= 0) return free;
    return this.addRow() ? this.rows().length - 1 : -1;
  }
}

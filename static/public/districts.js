// The choice of districts: a tree of ticks in which a district stands for its parts, a search, a map to click on.
// Without it the ticks alone do. All words are in the page.
(function () {
  "use strict";

  const fieldset = document.getElementById("areas");
  if (!fieldset) {
    return;
  }

  const NAMED = 8;
  const EVERYWHERE = "*";
  const nodes = new Map();
  fieldset.querySelectorAll("input[name=area], input[data-area]").forEach((input) => {
    nodes.set(input.value, { code: input.value, input, above: input.dataset.in, parts: [] });
  });
  nodes.forEach((node) => {
    const above = nodes.get(node.above);
    if (above) {
      above.parts.push(node);
    }
  });

  // The districts that are chosen as such; what lies below one of them is chosen with it

  const chosen = new Set();

  function line(node) {
    const found = [];
    for (let above = nodes.get(node.above); above; above = nodes.get(above.above)) {
      found.unshift(above);
    }
    return found;
  }

  function covering(node) {
    return line(node).find((above) => chosen.has(above.code));
  }

  function below(node) {
    return node.parts.flatMap((part) => [part, ...below(part)]);
  }

  function choose(node) {
    below(node).forEach((part) => chosen.delete(part.code));
    chosen.add(node.code);
    const above = nodes.get(node.above);
    if (above && above.parts.every((part) => chosen.has(part.code))) {
      choose(above);
    }
  }

  // All but this one: whoever unticks a part of what is chosen as a whole keeps the other parts
  function letGo(node) {
    const whole = covering(node);
    if (whole) {
      chosen.delete(whole.code);
      const way = [...line(node), node];
      for (const above of way.slice(way.indexOf(whole), -1)) {
        above.parts.filter((part) => !way.includes(part)).forEach((part) => chosen.add(part.code));
      }
    }
    chosen.delete(node.code);
  }

  function isChosen(node) {
    return chosen.has(node.code) || Boolean(covering(node));
  }

  function toggle(node) {
    if (isChosen(node)) {
      letGo(node);
    } else {
      choose(node);
    }
    show();
  }

  // What is seen of it

  const words = document.getElementById("area-chosen");
  const shapes = new Map();
  fieldset.querySelectorAll("[data-area]:not(input)").forEach((shape) => {
    shapes.set(shape.dataset.area, shape);
  });

  function leaves(node) {
    return node.parts.length ? node.parts.flatMap(leaves) : [node];
  }

  function show() {
    nodes.forEach((node) => {
      node.input.checked = isChosen(node);
      node.input.indeterminate = !node.input.checked && below(node).some((part) => chosen.has(part.code));
      const shape = shapes.get(node.code);
      if (shape) {
        shape.classList.toggle("is-chosen", node.input.checked);
      }
    });
    fieldset.querySelectorAll("[data-group]").forEach((group) => {
      const all = leaves(nodes.get(group.dataset.group));
      const count = all.filter(isChosen).length;
      const said = count === all.length ? words.dataset.all : words.dataset.part.replace("{count}", count);
      group.querySelector("[data-count]").textContent = count ? said : "";
    });
    words.textContent = sentence();
  }

  function sentence() {
    const names = [...nodes.values()].filter((node) => chosen.has(node.code)).map((node) => node.input.dataset.name);
    if (!names.length) {
      return words.dataset.none;
    }
    let list = names.slice(0, NAMED).join(", ");
    if (names.length > NAMED) {
      list += ` ${words.dataset.more.replace("{count}", names.length - NAMED)}`;
    }
    return words.dataset.some.replace("{names}", list);
  }

  function readTicks() {
    chosen.clear();
    nodes.forEach((node) => {
      if (node.input.checked && !covering(node)) {
        choose(node);
      }
    });
    show();
  }

  fieldset.addEventListener("change", (event) => {
    const node = nodes.get(event.target.value);
    if (node && node.input === event.target) {
      toggle(node);
    }
  });
  shapes.forEach((shape, code) => {
    shape.addEventListener("click", () => toggle(nodes.get(code)));
  });

  // What the form says: the districts chosen as such, "everywhere" by its parts

  fieldset.form.addEventListener("formdata", (event) => {
    event.formData.delete("area");
    const codes = chosen.has(EVERYWHERE) ? nodes.get(EVERYWHERE).parts.map((part) => part.code) : [...chosen];
    codes.forEach((code) => event.formData.append("area", code));
  });

  // The search: "gruenau" and "grunau" find Grünau

  const search = document.getElementById("area-search");
  const found = document.getElementById("area-found");
  const groups = [...fieldset.querySelectorAll("[data-group]")];
  const groupOf = new Map(groups.map((group) => [nodes.get(group.dataset.group), group]));
  let opened = null;

  function plain(text) {
    return text.toLowerCase().replace(/ß/g, "ss").normalize("NFD").replace(/[\u0300-\u036f]/g, "");
  }

  function spelled(text) {
    return plain(text.toLowerCase().replace(/ä/g, "ae").replace(/ö/g, "oe").replace(/ü/g, "ue"));
  }

  function fits(node, query) {
    const name = node.input.dataset.name;
    return plain(name).includes(plain(query)) || spelled(name).includes(plain(query));
  }

  function look() {
    const query = search.value.trim();
    opened = opened || new Map(groups.map((group) => [group, group.open]));
    const hits = [];
    nodes.forEach((node) => {
      node.hit = query === "" || fits(node, query) || line(node).some((above) => groupOf.has(above) && above.hit);
      if (query !== "" && node.hit && !node.parts.length) {
        hits.push(node);
      }
    });
    nodes.forEach((node) => {
      const group = groupOf.get(node);
      const seen = node.hit || below(node).some((part) => part.hit);
      if (group) {
        group.hidden = !seen;
        group.open = query === "" ? opened.get(group) : seen;
      } else if (!node.parts.length) {
        node.input.closest("label").hidden = !seen;
      }
    });
    if (query === "") {
      opened = null;
    }
    found.textContent =
      query === "" ? "" : hits.length ? found.dataset.found.replace("{count}", hits.length) : found.dataset.nothing;
    return hits;
  }

  search.addEventListener("input", look);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault(); // it would send the form
      const [first] = look();
      if (search.value.trim() && first) {
        first.input.focus();
      }
    } else if (event.key === "Escape" && search.value) {
      event.preventDefault();
      search.value = "";
      look();
    }
  });

  fieldset.querySelectorAll("[data-scripted]").forEach((element) => {
    element.hidden = false;
  });
  readTicks();
  // A browser that comes back to the page brings the ticks back after this
  window.addEventListener("pageshow", readTicks);
})();

// How the map's words get their names and numbers.

const format = (digits) => new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: digits });

/** A sentence with its gaps filled: "{name} chosen." */
export const fill = (text, values = {}) => text.replace(/\{(\w+)\}/g, (_gap, name) => values[name]);

/** Metres as people read them: 600 m, 1,5 km. */
export const length = (metres) => (metres < 1000 ? `${format(0).format(metres)} m` : `${format(2).format(metres / 1000)} km`);

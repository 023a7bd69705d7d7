// Marks what has expired since the page was made. All words are in the page; this only shows and hides them.
(function () {
  "use strict";

  var HOUR = 60 * 60 * 1000;

  function each(selector, act) {
    document.querySelectorAll(selector).forEach(act);
  }

  function past(iso, now) {
    return iso !== "" && now >= Date.parse(iso);
  }

  function mark() {
    var now = Date.now();
    each("[data-from], [data-until]", function (element) {
      var from = element.dataset.from;
      var until = element.dataset.until;
      element.hidden = Boolean((from && !past(from, now)) || (until && past(until, now)));
    });
    each("[data-old]", function (element) {
      element.hidden = now - Date.parse(element.dataset.old) < HOUR;
    });
    each("[data-ends]", function (element) {
      if (past(element.dataset.ends, now)) {
        element.className = element.className.replace(/\bsev-\w+/, "sev-ended");
      }
    });
  }

  mark();
  setInterval(mark, 30 * 1000);
  document.addEventListener("visibilitychange", mark);
  window.addEventListener("pageshow", mark);
})();

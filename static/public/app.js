// What a page does as part of the installed app, and beside the service worker. All words are in the page.
(function () {
  "use strict";

  var workers = navigator.serviceWorker;
  if (!workers) {
    return;
  }

  // Nothing is stored on the device of who only reads: the worker comes with a push subscription
  // (subscribe.js) or with the app, since installing it asks for just that
  var installed = navigator.standalone === true || window.matchMedia("(display-mode: standalone)").matches;
  if (installed) {
    workers.register("/sw.js", { updateViaCache: "none" });
  }

  workers.addEventListener("message", function (event) {
    if (event.data && event.data.fresh === location.pathname) {
      document.querySelectorAll("[data-fresh]").forEach(function (element) {
        element.hidden = false;
      });
    }
  });

  function seen() {
    if (document.visibilityState === "visible" && navigator.clearAppBadge) {
      navigator.clearAppBadge();
    }
  }

  if (installed) {
    seen();
    document.addEventListener("visibilitychange", seen);
  }
})();

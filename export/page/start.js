// Read before the page's modules, which some browsers, and every browser that opens a file, do not run.
"use strict";

(() => {
  const tell = (text) => {
    const problem = document.getElementById("problem");
    problem.textContent = text;
    problem.hidden = false;
    document.getElementById("status").textContent = "";
  };
  window.addEventListener("DOMContentLoaded", () => {
    if (location.protocol === "file:") {
      tell(texts.text("Browsers run this page only from a server. In its folder, run: python -m http.server --bind 127.0.0.1 8000 — and open http://127.0.0.1:8000/"));
    } else if (typeof WebAssembly !== "object" || !("noModule" in HTMLScriptElement.prototype)) {
      tell(texts.text("This browser is too old for this page, or WebAssembly is switched off in it. Try a current Firefox, Chrome, Edge or Safari."));
    }
  });
})();

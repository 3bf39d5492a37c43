// Read before the page's modules, which some browsers, and every browser that opens a file, do not run.
"use strict";

(() => {
  const tell = (text) => {
    const problem = document.getElementById("problem");
    problem.textContent = text;
    problem.hidden = false;
    document.getElementById("status").textContent = "";
  };
  const tellInTime = (text) => {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => tell(text));
    else tell(text);
  };
  // A script that does not load, or is a network's sign-in page, leaves nothing else to say so.
  window.addEventListener("error", ({ target }) => {
    if (target.tagName !== "SCRIPT" && target.tagName !== "LINK") return;
    const file = (target.src || target.href).split("/").pop();
    tellInTime(texts.text("{file} could not be loaded. If this network asks for a sign-in, sign in; then reload this page.", { file }));
  }, true);
  window.addEventListener("DOMContentLoaded", () => {
    if (location.protocol === "file:") {
      tell(texts.text("Browsers run this page only from a server. In its folder, run: python -m http.server --bind 127.0.0.1 8000 — and open http://127.0.0.1:8000/"));
    } else if (typeof WebAssembly !== "object" || !("noModule" in HTMLScriptElement.prototype)) {
      tell(texts.text("This browser is too old for this page, or WebAssembly is switched off in it. Try a current Firefox, Chrome, Edge or Safari."));
    }
  });
})();

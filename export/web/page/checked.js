// Fetches a file of this page and gives it only if its SHA-256 is the one in files.js: the sign-in page of a network, a
// damaged file and one of another version come with status 200, too. Page, worker and service worker read this script
// after files.js.
"use strict";

self.checked = (() => {
  const WRONG = "wrong file: ";
  const ask = self.fetch.bind(self); // the worker puts another in its place

  // The file that an address names; null where it is none of this page.
  function nameOf(base, url) {
    if (!url.startsWith(base)) return null;
    const name = url.slice(base.length).split(/[?#]/)[0] || "index.html";
    return Object.hasOwn(self.release.files, name) ? name : null;
  }

  // Gives a response anew if it holds the file, else null.
  async function proven(response, file) {
    const bytes = await response.arrayBuffer();
    // Browsers give no digest to a page without https; there, `integrity` has had them check it.
    if (crypto.subtle) {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      if (`sha256-${btoa(String.fromCharCode(...digest))}` !== self.release.files[file]) return null;
    }
    return new Response(bytes, { headers: response.headers });
  }

  async function fetched(base, file) {
    const integrity = self.release.files[file];
    const check = crypto.subtle ? {} : { integrity };
    // The address carries the hash, so that a browser may keep the file for good.
    const url = `${base}${file}?v=${encodeURIComponent(integrity.slice(7, 23))}`;
    // What is wrong may come from the browser's own cache: it is asked for once more, past that.
    for (const cache of ["default", "reload"]) {
      const response = await ask(url, { cache, ...check });
      if (wrongFile(response.statusText)) throw new Error(response.statusText); // as the service worker says it
      if (!response.ok) throw new Error(`${file} is missing (${response.status})`);
      const right = await proven(response, file);
      if (right) return right;
    }
    throw new Error(WRONG + file);
  }

  // The file of which an error's message says that it is wrong; LiteRT has its own words around that.
  function wrongFile(message) {
    const [, file] = message.split(WRONG);
    return file && file.match(/[\w./-]+/)[0];
  }

  return { fetched, nameOf, proven, wrongFile };
})();

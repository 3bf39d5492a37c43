// Keeps the files of one version of this page, each once it has been checked, and answers from them. The browser looks
// for another version whenever the page is opened; that takes over once all that was kept is there in its new form.
"use strict";

const VERSION = ""; // the export writes it here
importScripts("files.js", "checked.js");
if (self.release.version !== VERSION) throw new Error("files.js is of another version than service-worker.js");

const scope = self.registration.scope;
const PREFIX = `styleport ${scope} `;
const CACHE = PREFIX + VERSION;

async function olderCaches() {
  // The first versions kept unchecked files in "styleport".
  return (await caches.keys()).filter((name) => name === "styleport" || (name.startsWith(PREFIX) && name !== CACHE));
}

// Gives a file, from the cache if it is there.
async function kept(file) {
  const cache = await caches.open(CACHE);
  const address = scope + file;
  const found = await cache.match(address);
  if (found) return found;
  const older = await caches.match(address, { ignoreSearch: true });
  const response = (older && (await checked.proven(older, file))) || (await checked.fetched(scope, file));
  // A full disk keeps the page from being kept, not from being shown.
  await cache.put(address, response.clone()).catch((error) => console.info(`${file} is not kept: ${error.message}`));
  return response;
}

function keepAll(urls) {
  const files = new Set(urls.map((url) => checked.nameOf(scope, url)).filter(Boolean));
  return Promise.all([...files].map(kept));
}

async function renewed() {
  for (const name of await olderCaches()) {
    const requests = await (await caches.open(name)).keys();
    await keepAll(requests.map(({ url }) => url));
  }
}

async function dropOlder() {
  await Promise.all((await olderCaches()).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answered(request, file) {
  try {
    return await kept(file);
  } catch (error) {
    // A sign-in page has to be seen, but is not kept.
    if (request.mode === "navigate") return fetch(request);
    return new Response(null, { status: 502, statusText: error.message });
  }
}

// files.js cannot hold its own hash; the one that was installed with this worker is in memory.
function itself() {
  const code = `self.release = ${JSON.stringify(self.release)};`;
  return new Response(code, { headers: { "Content-Type": "text/javascript" } });
}

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(renewed());
});

self.addEventListener("activate", (event) => event.waitUntil(dropOlder()));

self.addEventListener("message", (event) => {
  const tell = (problem) => event.ports[0].postMessage(problem);
  event.waitUntil(keepAll(event.data).then(() => tell(""), ({ message }) => tell(message)));
});

self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method !== "GET") return;
  const file = checked.nameOf(scope, url);
  if (url === scope + "files.js") event.respondWith(itself());
  else if (file) event.respondWith(answered(event.request, file));
});

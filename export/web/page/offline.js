// Has the service worker keep the files that are in use, so that the page opens again without a network.

async function kept(worker, urls) {
  const { port1, port2 } = new MessageChannel();
  const told = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
  worker.postMessage(urls, [port2]);
  const problem = await told;
  if (problem) throw new Error(problem);
}

export async function keepOffline(urls) {
  // Without https there are no service workers; the page itself works all the same.
  if (!("serviceWorker" in navigator)) return;
  try {
    const base = new URL("./", import.meta.url).href;
    await navigator.serviceWorker.register(base + "service-worker.js", { updateViaCache: "none" });
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    await kept(active, [base, ...loaded, ...urls]);
  } catch (error) {
    if (checked.wrongFile(error.message)) throw error;
    console.info(`The page is not kept for use without a network: ${error.message}`);
  }
}

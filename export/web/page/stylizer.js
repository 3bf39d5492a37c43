// The stylizer as the page sees it: a worker behind two promises.

export class Stylizer {
  #worker;
  #waiting = new Map();
  #count = 0;

  constructor(backend = "") {
    const base = new URL("./", import.meta.url).href;
    // Made from a blob, the worker is under the page's own content security policy: it cannot reach other hosts.
    const code = `const base = ${JSON.stringify(base)}, backend = ${JSON.stringify(backend)};
      importScripts(base + "worker.js");`;
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    this.#worker = new Worker(url);
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    this.#worker.onerror = (event) => this.#fail(event.message || "the worker could not be started");
  }

  #receive({ number, step, result, error }) {
    const task = this.#waiting.get(number);
    if (!task) return;
    if (step) {
      task.progress(step);
      return;
    }
    this.#waiting.delete(number);
    if (error === undefined) task.resolve(result);
    else task.reject(new Error(error));
  }

  #fail(message) {
    for (const { reject } of this.#waiting.values()) reject(new Error(message));
    this.#waiting.clear();
  }

  #ask(task, given, progress = () => {}) {
    return new Promise((resolve, reject) => {
      const number = ++this.#count;
      this.#waiting.set(number, { resolve, reject, progress });
      this.#worker.postMessage({ number, task, given });
    });
  }

  // Loads the runtime and the networks; gives the accelerator, the number of threads, and the sides to choose from.
  start() {
    return this.#ask("start");
  }

  // content and style: { number, data: RGBA samples, width, height }; a picture's number stands for it from then on.
  // Gives the painted samples, of the content's size, and the milliseconds of each stage.
  stylize(given, progress) {
    return this.#ask("stylize", given, progress);
  }
}

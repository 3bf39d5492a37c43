// Runs the networks, away from the page so that it stays responsive. Not a module: LiteRT loads its code by
// importScripts. `base`, the page's folder, and `backend`, wasm or webgpu or nothing, are set before this is read.
"use strict";

importScripts(base + "files.js", base + "checked.js");

let tools, guided, litert, settings, runtime;
let predictor;
const transformers = new Map(); // by side
const bottlenecks = new Map(); // by the picture's number

const MAX_BOTTLENECKS = 64;

// LiteRT fetches its own code: that is checked, too. Where it cannot, it would use XMLHttpRequest, which is not checked.
let refusal;
const fetchUnchecked = self.fetch.bind(self);
self.fetch = async (url, options) => {
  const file = checked.nameOf(base, String(url));
  if (!file) return fetchUnchecked(url, options);
  try {
    return await checked.fetched(base, file);
  } catch (error) {
    throw (refusal = error);
  }
};
self.XMLHttpRequest = function () {
  throw refusal;
};

async function hasRealGpu() {
  if (backend === "wasm" || !navigator.gpu) return false;
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  // A fallback adapter is a processor that plays a graphics card: slower than wasm.
  return Boolean(adapter) && (backend === "webgpu" || !(adapter.info ?? adapter).isFallbackAdapter);
}

async function loadRuntime(threads) {
  const folder = base + "litert/";
  const locate = { locateFile: (file) => folder + file };
  // A worker made from a blob must be told where its threads find their code.
  if (threads) locate.mainScriptUrlOrBlob = folder + "litert_wasm_threaded_internal.js";
  self.Module = locate;
  await litert.loadLiteRt(folder, threads ? { threads } : undefined);
  return { accelerator: "wasm", threads: threads ? litert.getGlobalLiteRt().liteRtWasm.getThreadCount() : 1 };
}

async function start() {
  const modules = ["resample.js", "guided.js", "litert/index.js"].map((file) => import(base + file));
  [tools, guided, litert] = await Promise.all(modules);
  settings = await (await fetch(base + "page.json")).json();
  const gpu = await hasRealGpu();
  if (gpu || !self.crossOriginIsolated) {
    runtime = await loadRuntime(false);
    if (gpu && litert.getWebGpuDevice()) runtime.accelerator = "webgpu";
  } else {
    runtime = await loadRuntime(true).catch(() => loadRuntime(false));
  }
  predictor = await compiled(settings.predictor, "wasm");
  await transformerOf(settings.sizes[0].side);
  return { ...runtime, sides: settings.sizes.map(({ side }) => side), files: await usedFiles() };
}

async function compiled(file, accelerator) {
  const bytes = new Uint8Array(await (await fetch(base + file)).arrayBuffer());
  // Single precision: half of it is too coarse for the normalization's sums of squares.
  const model = await litert.loadAndCompile(bytes, { accelerator, gpuOptions: { precision: "fp32" } });
  if (accelerator === "webgpu" && !model.isFullyAccelerated) {
    model.delete();
    throw new Error("the network does not run on WebGPU as a whole");
  }
  return model;
}

async function transformerOf(side) {
  if (!transformers.has(side)) {
    const { file } = settings.sizes.find((size) => size.side === side);
    transformers.set(side, await onBest((accelerator) => compiled(file, accelerator)));
  }
  return transformers.get(side);
}

// Does something on WebGPU and, should that fail, from then on in wasm.
async function onBest(work) {
  try {
    return await work(runtime.accelerator);
  } catch (error) {
    if (runtime.accelerator === "wasm" || checked.wrongFile(error.message)) throw error;
    console.warn(`WebGPU is given up: ${error.message}`);
    runtime.accelerator = "wasm";
    transformers.clear();
    return work("wasm");
  }
}

async function usedFiles() {
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  return loaded.filter((url) => url.startsWith(base));
}

async function run(model, inputs, output) {
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape }]) => [name, new litert.Tensor(data, shape)]),
  );
  let outputs = {};
  try {
    outputs = await model.run(tensors);
    return await outputs[output].data();
  } finally {
    for (const tensor of [...Object.values(tensors), ...Object.values(outputs)]) tensor.delete();
  }
}

async function bottleneckOf(picture) {
  if (!bottlenecks.has(picture.number)) {
    const [, height, width] = predictor.getInputDetails()[0].shape;
    const { data } = tools.resized(picture, height, width);
    const inputs = { style_image: { data, shape: [1, height, width, 3] } };
    if (bottlenecks.size >= MAX_BOTTLENECKS) bottlenecks.delete(bottlenecks.keys().next().value);
    bottlenecks.set(picture.number, await run(predictor, inputs, "style_bottleneck"));
  }
  return bottlenecks.get(picture.number);
}

// Between the content's own bottleneck (0) and the style's (1): Ghiasi et al. 2017, section 4.4.
async function mixed(content, style, strength) {
  const ofStyle = await bottleneckOf(style);
  if (strength === 1) return ofStyle;
  const ofContent = await bottleneckOf(content);
  return ofStyle.map((value, i) => ofContent[i] * (1 - strength) + value * strength);
}

async function stylize({ content, style, strength, side, asFloats }, progress) {
  const times = {};
  let since = performance.now();
  const lap = (stage) => {
    times[stage] = performance.now() - since;
    since = performance.now();
  };
  progress("preparing the pictures");
  const small = tools.resized(content, ...tools.paintedSize(content, side));
  const fit = tools.fitted(small, side);
  lap("prepare");
  progress("reading the style");
  const bottleneck = await mixed(content, style, strength);
  lap("style");
  progress("painting");
  const data = await onBest(async () => {
    const inputs = {
      content_image: { data: fit.square.data, shape: [1, side, side, 3] },
      style_bottleneck: { data: bottleneck, shape: [1, 1, 1, bottleneck.length] },
    };
    return run(await transformerOf(side), inputs, "stylized_image");
  });
  lap("paint");
  progress("finishing");
  const painted = tools.unfitted({ data, width: side, height: side }, fit, small.height, small.width);
  const isWhole = small.width === content.width && small.height === content.height;
  const picture = isWhole
    ? { ...tools.toPixels(painted), floats: asFloats ? painted.data : null }
    : guided.upsampled(painted, small, content, asFloats);
  lap("finish");
  return { ...picture, times, side, ...runtime, files: await usedFiles() };
}

const TASKS = { start, stylize };

// Tasks are done one after the other: a network holds one picture at a time.
let last = Promise.resolve();
self.onmessage = ({ data: { number, task, given } }) => {
  const progress = (step) => self.postMessage({ number, step });
  last = last.then(async () => {
    try {
      const result = await TASKS[task](given, progress);
      self.postMessage({ number, result }, result.data ? [result.data.buffer] : []);
    } catch (error) {
      self.postMessage({ number, error: String(error?.message ?? error) });
    }
  });
};

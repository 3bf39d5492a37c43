// The page: what is chosen, painted again whenever a choice changes.

import { photograph } from "./camera.js";
import { keepOffline } from "./offline.js";
import { MAX_STYLE_SIDE, Problem, fromFile, fromUrl, save, show, thumbnail } from "./pictures.js";
import { Stylizer } from "./stylizer.js";

const { language, text } = globalThis.texts;
const DETAIL = [text("Quick"), text("Fine")];
const MAX_SIDE = { style: MAX_STYLE_SIDE };

const element = (id) => document.getElementById(id);
const result = element("result");
const chosen = { photo: null, style: null };
let painted = null;
let stylizer, ready;
let isPainting = false;
let isStale = false;

function say(words) {
  element("status").textContent = words;
}

function tell(error) {
  const problem = element("problem");
  problem.hidden = !error;
  problem.textContent = !error ? "" : error instanceof Problem ? error.message : inPlainWords(error);
  if (!error) return;
  say("");
  problem.scrollIntoView({ block: "nearest" }); // on a phone, the controls are below it
}

function inPlainWords({ message }) {
  const file = checked.wrongFile(message);
  if (file) {
    return text("What came as {file} is not this page’s file, and is not used. If this network asks for a sign-in, sign in; then reload this page.", { file });
  }
  if (/memory|allocat|oom/i.test(message)) return text("There is not enough memory for this. Choose less detail, or close other tabs.");
  if (/missing|fetch|importScripts|network/i.test(message)) {
    return text("A part of this page could not be loaded. Is its folder complete, and the server still there? ({reason})", { reason: message });
  }
  return text("The picture could not be painted: {reason}", { reason: message });
}

function inProgress(step) {
  return `${step[0].toUpperCase()}${step.slice(1)}…`;
}

function setBusy(isBusy) {
  document.body.classList.toggle("busy", isBusy);
  element("controls").setAttribute("aria-busy", String(isBusy));
}

function seconds(milliseconds) {
  return (milliseconds / 1000).toLocaleString(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

function timing({ times, side, accelerator, threads }) {
  const total = Object.values(times).reduce((sum, time) => sum + time);
  const workers = threads === 1 ? text("1 thread") : text("{count} threads", { count: threads });
  const by = accelerator === "webgpu" ? "WebGPU" : `WebAssembly, ${workers}`;
  const spent = { total: seconds(total), style: seconds(times.style), picture: seconds(times.paint) };
  return text("Painted in {total} s: style {style} s, picture {picture} s; {side} px, {by}.", { ...spent, side, by });
}

// One picture is painted at a time; what changes meanwhile is painted next, once.
async function paint() {
  isStale = true;
  if (isPainting || !chosen.photo || !chosen.style) return;
  isPainting = true;
  setBusy(true);
  try {
    await ready;
    while (isStale) {
      isStale = false;
      const given = {
        content: chosen.photo.picture,
        style: chosen.style.picture,
        strength: element("strength").valueAsNumber / 100,
        side: Number(new FormData(element("controls")).get("side")),
      };
      painted = await stylizer.stylize(given, (step) => say(inProgress(text(step))));
      tell(null);
      showPainted();
      say(timing(painted));
      keepOffline(painted.files).catch(tell);
    }
  } catch (error) {
    tell(error);
  } finally {
    isPainting = false;
    setBusy(false);
  }
}

function showPainted() {
  show(result, painted);
  result.setAttribute("aria-label", text("{photo}, painted in the style of: {style}", { photo: chosen.photo.name, style: chosen.style.name }));
  element("original").setAttribute("aria-pressed", "false");
  for (const id of ["original", "save"]) element(id).disabled = false;
}

function toggleOriginal() {
  if (element("original").getAttribute("aria-pressed") === "true") return showPainted();
  show(result, chosen.photo.picture);
  result.setAttribute("aria-label", text("The photo itself: {photo}", { photo: chosen.photo.name }));
  return element("original").setAttribute("aria-pressed", "true");
}

async function saveResult() {
  showPainted();
  await save(result, `${chosen.photo.file}-${chosen.style.file}.png`);
}

function choose(role, name, picture, button, file = name.replace(/\.\w+$/, "").replace(/[^\p{L}\p{N}]+/gu, "-")) {
  chosen[role] = { name, file, picture };
  for (const other of element(role).querySelectorAll(".samples button")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
  return paint();
}

// Adds a picture to the samples of its group, where it can be chosen again.
function addThumbnail(role, name, image, choice) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = name;
  button.setAttribute("aria-label", name);
  button.setAttribute("aria-pressed", "false");
  button.append(image);
  button.onclick = () => attempt(() => choice(button));
  element(role).querySelector(".samples").append(button);
  return button;
}

async function addOwn(role, name, picture) {
  const image = await thumbnail(picture);
  image.setAttribute("aria-hidden", "true");
  const button = addThumbnail(role, name, image, (itself) => choose(role, name, picture, itself));
  return choose(role, name, picture, button);
}

function addSample(role, { file, name, shows }) {
  const title = text(shows);
  const image = new Image();
  image.src = file;
  image.alt = "";
  let picture;
  return addThumbnail(role, title, image, async (button) => {
    picture ??= await fromUrl(file, name);
    await choose(role, title, picture, button, name);
  });
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    tell(error);
  }
}

async function paintedLive(content) {
  await ready;
  const [side] = [...element("sizes").querySelectorAll("input")].map(({ value }) => Number(value));
  return stylizer.stylize({ content, style: chosen.style.picture, strength: element("strength").valueAsNumber / 100, side });
}

function takeFrom(role) {
  const input = element(`${role}-file`);
  const take = (file) => attempt(async () => file && addOwn(role, file.name, await fromFile(file, MAX_SIDE[role])));
  input.onchange = () => {
    take(input.files[0]);
    input.value = ""; // the same file may be chosen again
  };
  const area = element(role);
  area.ondragover = () => area.classList.add("over");
  area.ondragleave = () => area.classList.remove("over");
  area.ondrop = (event) => {
    area.classList.remove("over");
    event.stopPropagation();
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  };
  return take;
}

function connect() {
  const takePhoto = takeFrom("photo");
  takeFrom("style");
  // Without these a browser leaves the page for the dropped file.
  document.ondragover = (event) => event.preventDefault();
  document.ondrop = (event) => {
    event.preventDefault();
    takePhoto(event.dataTransfer.files[0]);
  };
  element("controls").onsubmit = (event) => event.preventDefault();
  element("camera").onclick = () =>
    attempt(async () => {
      const picture = await photograph(element("camera-dialog"), paintedLive);
      if (picture) await addOwn("photo", text("A photo from the camera"), picture);
    });
  element("strength").oninput = () => {
    element("strength-shown").textContent = `${element("strength").value} %`;
  };
  element("strength").onchange = paint;
  element("sizes").onchange = paint;
  element("original").onclick = toggleOriginal;
  element("save").onclick = () => attempt(saveResult);
}

function offerSizes(sizes) {
  for (const [index, { side }] of sizes.entries()) {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), {
      type: "radio", name: "side", id: `side-${side}`, value: side, checked: index === 0,
    });
    label.append(input, `${DETAIL[index] ?? text("Finer")}, ${side} px`);
    element("sizes").append(label);
  }
}

async function open() {
  if (typeof WebAssembly !== "object") return; // start.js has said so
  connect();
  const settings = await checked.fetched(new URL("./", import.meta.url).href, "page.json");
  const { sizes, photos, styles } = await settings.json();
  offerSizes(sizes);
  stylizer = new Stylizer(new URLSearchParams(location.search).get("backend") ?? "");
  ready = stylizer.start();
  ready.catch(tell);
  const [photo] = photos.map((sample) => addSample("photo", sample));
  const [style] = styles.map((sample) => addSample("style", sample));
  photo.click();
  style.click();
}

attempt(open);

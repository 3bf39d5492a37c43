// The camera: a dialog that ends with a picture, or with none, and paints what the camera sees if it is asked to.

import { Problem, sampled, show } from "./pictures.js";
import { Smoother } from "./smoothing.js";

const { text } = globalThis.texts;

const REFUSED = {
  NotAllowedError: text("The camera was not allowed. Allow it in the browser’s settings for this page, or choose a photo."),
  NotFoundError: text("No camera was found. Choose a photo instead."),
  NotReadableError: text("The camera is in use by another program. Close that, or choose a photo."),
};

async function opened(facingMode) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Problem(text("The camera needs a page that is served by https, or from this computer. Choose a photo instead."));
  }
  const video = { facingMode, width: { ideal: 1536 }, height: { ideal: 1152 } };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    throw new Problem(REFUSED[error.name] ?? text("The camera could not be started. Choose a photo instead."));
  }
}

// Live: what a device can paint several times a second.
const LIVE_SIDE = 384;

// `paint` gives the painting of a picture, in its size.
export async function photograph(dialog, paint) {
  const video = dialog.querySelector("video");
  const canvas = dialog.querySelector("canvas");
  const button = (name) => dialog.querySelector(`[data-camera="${name}"]`);
  let facing = "environment";
  let stream;
  const stop = () => stream?.getTracks().forEach((track) => track.stop());
  const use = async (mode) => {
    stop(); // a phone opens one camera at a time
    stream = await opened(mode);
    facing = mode;
    video.srcObject = stream;
    await video.play();
  };
  let isLive = false;
  let run = 0;
  const setLive = (on) => {
    isLive = on;
    run++; // ends the loop that is running
    canvas.hidden = !on;
    video.classList.toggle("unseen", on); // a video that is not displayed stands still
    button("live").setAttribute("aria-pressed", String(on));
  };
  const paintLive = async () => {
    const smoother = new Smoother();
    const mine = run;
    let number;
    while (mine === run) {
      if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
        await new Promise(requestAnimationFrame); // the other camera is about to start
        continue;
      }
      const picture = sampled(video, video.videoWidth, video.videoHeight, LIVE_SIDE);
      number ??= picture.number; // the style of the camera's own picture is read once
      const painted = await paint({ ...picture, number });
      if (mine === run) show(canvas, smoother.smoothed(picture, painted));
    }
  };
  await use(facing);
  dialog.showModal();
  try {
    return await new Promise((resolve, reject) => {
      button("take").onclick = () => {
        try {
          resolve(sampled(video, video.videoWidth, video.videoHeight));
        } catch (error) {
          reject(error);
        }
      };
      button("live").onclick = () => {
        setLive(!isLive);
        if (isLive) paintLive().catch(reject);
      };
      button("turn").onclick = () => use(facing === "user" ? "environment" : "user").catch(reject);
      button("cancel").onclick = () => resolve(null);
      dialog.onclose = () => resolve(null);
    });
  } finally {
    setLive(false);
    stop();
    video.srcObject = null;
    dialog.close();
  }
}

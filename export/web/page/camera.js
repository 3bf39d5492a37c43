// The camera: a dialog that ends with a picture, or with none.

import { Problem, sampled } from "./pictures.js";

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

export async function photograph(dialog) {
  const video = dialog.querySelector("video");
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
      button("turn").onclick = () => use(facing === "user" ? "environment" : "user").catch(reject);
      button("cancel").onclick = () => resolve(null);
      dialog.onclose = () => resolve(null);
    });
  } finally {
    stop();
    video.srcObject = null;
    dialog.close();
  }
}

// Files, cameras and canvases to samples and back.

const { text } = globalThis.texts;

export const MIN_SIDE = 16;
export const MAX_BYTES = 64e6;
export const MAX_PIXELS = 64e6;
// Of the working copy: more than any of the networks' sides, so that nothing is lost that they would see.
export const MAX_SIDE = 1536;

// A failure that is told to the person in front of the screen, in these words.
export class Problem extends Error {}

let count = 0;

// Draws on white, as the command line does.
export function sampled(source, width, height) {
  if (Math.min(width, height) < MIN_SIDE) {
    throw new Problem(text("This picture is too small: {width} × {height} pixels. Both sides must be at least {least}.", { width, height, least: MIN_SIDE }));
  }
  const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(MIN_SIDE, Math.round(width * scale));
  canvas.height = Math.max(MIN_SIDE, Math.round(height * scale));
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  if (!brush) throw new Problem(text("This browser has no memory left for pictures. Close other tabs and try again."));
  brush.fillStyle = "white";
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.imageSmoothingQuality = "high";
  brush.drawImage(source, 0, 0, canvas.width, canvas.height);
  const { data } = brush.getImageData(0, 0, canvas.width, canvas.height);
  return { number: ++count, data, width: canvas.width, height: canvas.height };
}

export async function fromFile(file) {
  if (file.size > MAX_BYTES) {
    const sizes = { size: Math.round(file.size / 1e6), most: MAX_BYTES / 1e6 };
    throw new Problem(text("This file is too large: {size} MB. Choose one of up to {most} MB.", sizes));
  }
  const url = URL.createObjectURL(file);
  try {
    return await fromUrl(url, file.name);
  } finally {
    URL.revokeObjectURL(url);
  }
}

export async function fromUrl(url, name) {
  const image = new Image();
  await new Promise((resolve, reject) => {
    image.onload = resolve;
    image.onerror = () => reject(new Problem(text("“{name}” is not a picture that this browser can read. Try a JPEG or PNG.", { name })));
    image.src = url;
  });
  // The size is known before any sample of the picture is decoded.
  const { naturalWidth: width, naturalHeight: height } = image;
  if (width * height > MAX_PIXELS) {
    const sizes = { size: Math.round((width * height) / 1e6), most: MAX_PIXELS / 1e6 };
    throw new Problem(text("This picture is too large: {size} megapixels. Choose one of up to {most}.", sizes));
  }
  if (!width || !height) throw new Problem(text("“{name}” has no size of its own. Try a JPEG or PNG.", { name }));
  return sampled(image, width, height);
}

export function show(canvas, { data, width, height }) {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
}

export async function save(canvas, name) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Problem(text("The picture could not be saved: this browser has no memory left for it."));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

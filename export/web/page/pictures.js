// Files, cameras and canvases to samples and back.

const { text } = globalThis.texts;

export const MIN_SIDE = 16;
export const MAX_BYTES = 64e6;
export const MAX_PIXELS = 64e6;
// Of a copy of a style: more than the network sees. A photo keeps its size, for its painting is to have that.
export const MAX_STYLE_SIDE = 1536;
// What phones hold in one canvas, where they cannot hold a photo as it is.
const MAX_CANVAS_PIXELS = 4096 * 4096;
const THUMBNAIL_SIDE = 160;

// A failure that is told to the person in front of the screen, in these words.
export class Problem extends Error {}

let count = 0;

// Draws on white, as the command line does. Gives null where the browser has no canvas of that size.
function drawn(source, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  if (!brush) return null;
  brush.fillStyle = "white";
  brush.fillRect(0, 0, width, height);
  brush.imageSmoothingQuality = "high";
  brush.drawImage(source, 0, 0, width, height);
  try {
    const { data } = brush.getImageData(0, 0, width, height);
    return data[3] === 255 ? data : null; // a canvas that is too large stays empty
  } catch {
    return null;
  }
}

// Gives the samples of a picture, at its own size unless its longer side or the browser's memory has a bound.
export function sampled(source, width, height, maxSide = Infinity) {
  if (Math.min(width, height) < MIN_SIDE) {
    throw new Problem(text("This picture is too small: {width} × {height} pixels. Both sides must be at least {least}.", { width, height, least: MIN_SIDE }));
  }
  const wanted = Math.min(1, maxSide / Math.max(width, height));
  for (const scale of [wanted, Math.min(wanted, Math.sqrt(MAX_CANVAS_PIXELS / (width * height)))]) {
    const size = [width, height].map((side) => Math.max(MIN_SIDE, Math.round(side * scale)));
    const data = drawn(source, ...size);
    if (data) return { number: ++count, data, width: size[0], height: size[1] };
  }
  throw new Problem(text("This browser has no memory left for pictures. Close other tabs and try again."));
}

export async function fromFile(file, maxSide) {
  if (file.size > MAX_BYTES) {
    const sizes = { size: Math.round(file.size / 1e6), most: MAX_BYTES / 1e6 };
    throw new Problem(text("This file is too large: {size} MB. Choose one of up to {most} MB.", sizes));
  }
  const url = URL.createObjectURL(file);
  try {
    return await fromUrl(url, file.name, maxSide);
  } finally {
    URL.revokeObjectURL(url);
  }
}

export async function fromUrl(url, name, maxSide) {
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
  return sampled(image, width, height, maxSide);
}

export function show(canvas, { data, width, height }) {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
}

export async function thumbnail({ data, width, height }) {
  const image = await createImageBitmap(new ImageData(data, width, height));
  const scale = Math.min(1, THUMBNAIL_SIDE / Math.min(width, height));
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  const canvas = Object.assign(document.createElement("canvas"), size);
  const brush = canvas.getContext("2d");
  brush.imageSmoothingQuality = "high";
  brush.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return canvas;
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

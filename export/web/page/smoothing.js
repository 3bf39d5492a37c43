// Blends what is painted of a camera with the frame before, where the camera's picture hardly changed: a cheap form of
// toolkit/video/smoothing.py, with its numbers and without the optical flow.

const KEPT = 0.85;
// 8-bit steps of difference: up to the first all is kept that may be, from the second on nothing.
const SAME = 8;
const DIFFERENT = 24;

const SHARES = Float32Array.from({ length: 256 }, (_, difference) => {
  const share = Math.min(1, Math.max(0, (DIFFERENT - difference) / (DIFFERENT - SAME)));
  return KEPT * share * share * (3 - 2 * share);
});

// The largest difference of a color at each pixel.
function differences(before, now) {
  const values = new Uint8Array(now.length / 4);
  for (let i = 0, at = 0; i < values.length; i++, at += 4) {
    const red = Math.abs(before[at] - now[at]);
    const green = Math.abs(before[at + 1] - now[at + 1]);
    values[i] = Math.max(red, green, Math.abs(before[at + 2] - now[at + 2]));
  }
  return values;
}

// The mean of the 3x3 pixels around one, cut at the borders: the noise of a sensor is no change.
function meanAround(values, width, height, x, y) {
  let sum = 0;
  let count = 0;
  for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
    for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++, count++) {
      sum += values[row * width + column];
    }
  }
  return sum / count;
}

export class Smoother {
  #content;
  #painted; // in floats: rounded, a slow change would get stuck

  // Takes the RGBA samples of the camera and those of its painting, of one size; gives the blended painting.
  smoothed(content, { data, width, height }) {
    const before = this.#content;
    const kept = this.#painted;
    this.#content = content.data;
    this.#painted = Float32Array.from(data);
    if (before?.length !== content.data.length || kept?.length !== data.length) return { data, width, height };
    const changes = differences(before, content.data);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const share = SHARES[Math.round(meanAround(changes, width, height, x, y))];
        const at = 4 * (y * width + x);
        for (let i = at; i < at + 3; i++) this.#painted[i] += share * (kept[i] - this.#painted[i]);
      }
    }
    return { data: Uint8ClampedArray.from(this.#painted), width, height };
  }
}

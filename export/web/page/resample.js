// Pictures as the networks take them: floats in [0, 1], resampled as Pillow does it (Lanczos, antialiased), so that a
// page and a Python program that are shown the same picture compute the same.
//
// A picture is { data, width, height }: rows of RGB as a Float32Array, or of RGBA in bytes as a canvas gives it.

export const MIN_SIDE = 16;

const LANCZOS = {
  reach: 3,
  weight(x) {
    if (x === 0) return 1;
    if (Math.abs(x) >= 3) return 0;
    const angle = Math.PI * x;
    return (3 * Math.sin(angle) * Math.sin(angle / 3)) / (angle * angle);
  },
};

// For each sample of a resampled line: where its window starts, and the weights in it.
export function windows(from, to, { reach, weight } = LANCZOS) {
  const scale = from / to;
  const spread = Math.max(scale, 1);
  return Array.from({ length: to }, (_, index) => {
    const center = (index + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach * spread + 0.5));
    const end = Math.min(from, Math.trunc(center + reach * spread + 0.5));
    const weights = new Float64Array(end - start);
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += weights[i] = weight((start + i - center + 0.5) / spread);
    return { start, weights: weights.map((one) => one / sum) };
  });
}

function resampledRows({ data, width, height }, to) {
  const [step, white] = data instanceof Float32Array ? [3, 1] : [4, 255];
  const result = new Float32Array(height * to * 3);
  const columns = windows(width, to);
  for (let row = 0, target = 0; row < height; row++) {
    for (const { start, weights } of columns) {
      let red = 0, green = 0, blue = 0;
      for (let i = 0, at = (row * width + start) * step; i < weights.length; i++, at += step) {
        red += data[at] * weights[i];
        green += data[at + 1] * weights[i];
        blue += data[at + 2] * weights[i];
      }
      result[target++] = red / white;
      result[target++] = green / white;
      result[target++] = blue / white;
    }
  }
  return { data: result, width: to, height };
}

function resampledColumns({ data, width, height }, to) {
  const stride = width * 3;
  const result = new Float32Array(to * stride);
  const sums = new Float64Array(stride);
  windows(height, to).forEach(({ start, weights }, row) => {
    sums.fill(0);
    weights.forEach((weight, i) => {
      const from = (start + i) * stride;
      for (let at = 0; at < stride; at++) sums[at] += data[from + at] * weight;
    });
    result.set(sums, row * stride);
  });
  return { data: result, width, height: to };
}

// Gives a picture of floats.
export function resized(picture, height, width) {
  let result = picture;
  if (width !== picture.width || !(picture.data instanceof Float32Array)) result = resampledRows(result, width);
  if (height !== picture.height) result = resampledColumns(result, height);
  if (result === picture) return picture;
  for (let i = 0; i < result.data.length; i++) result.data[i] = Math.min(1, Math.max(0, result.data[i]));
  return result;
}

// To the even of two equally near integers, as Python rounds.
function rounded(x) {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 ? down + 1 : down;
}

function mirrored(index, count) {
  const period = 2 * (count - 1);
  const at = index % period;
  return at < count ? at : period - at;
}

// The size at which a picture is painted within a square: its own where that is not too large.
export function paintedSize({ height, width }, side) {
  const scale = Math.max(side / Math.max(height, width), MIN_SIDE / Math.min(height, width));
  return scale >= 1 ? [height, width] : [rounded(height * scale), rounded(width * scale)];
}

// Scales a picture to fit into a square and mirrors it up to it.
export function fitted(picture, side) {
  if (picture.width === side && picture.height === side) return { square: picture, height: side, width: side };
  const scale = Math.min(side / picture.height, side / picture.width);
  const height = Math.max(2, rounded(picture.height * scale));
  const width = Math.max(2, rounded(picture.width * scale));
  const small = resized(picture, height, width).data;
  const data = new Float32Array(side * side * 3);
  for (let row = 0; row < side; row++) {
    const from = mirrored(row, height) * width * 3;
    const to = row * side * 3;
    data.set(small.subarray(from, from + width * 3), to);
    for (let column = width; column < side; column++) {
      const at = from + mirrored(column, width) * 3;
      for (let channel = 0; channel < 3; channel++) data[to + column * 3 + channel] = small[at + channel];
    }
  }
  return { square: { data, width: side, height: side }, height, width };
}

// What of a square is the picture, at the picture's own size.
export function unfitted(square, fit, height, width) {
  const data = new Float32Array(fit.height * fit.width * 3);
  for (let row = 0; row < fit.height; row++) {
    const from = row * square.width * 3;
    data.set(square.data.subarray(from, from + fit.width * 3), row * fit.width * 3);
  }
  return resized({ data, height: fit.height, width: fit.width }, height, width);
}

export function toPixels({ data, width, height }) {
  const result = new Uint8ClampedArray(width * height * 4).fill(255); // assigning to it rounds and clamps
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    result[to] = data[from] * 255;
    result[to + 1] = data[from + 1] * 255;
    result[to + 2] = data[from + 2] * 255;
  }
  return { data: result, width, height };
}

// Brings a painting to the size of the photo that it was painted from, its edges as sharp as the photo's: the method and
// the numbers of toolkit/interface/guided_upsampling.py, which says why.

import { windows } from "./resample.js";

const RADIUS = 2;
const EPSILON = 1e-3;
const CUBIC = {
  reach: 2,
  weight(x) {
    const at = Math.abs(x);
    if (at < 1) return (1.5 * at - 2.5) * at * at + 1;
    return at < 2 ? ((2.5 - 0.5 * at) * at - 4) * at + 2 : 0;
  },
};
const LINEAR = { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) };

function luminance(samples, at) {
  return 0.299 * samples[at] + 0.587 * samples[at + 1] + 0.114 * samples[at + 2];
}

function plane({ data }, sampleAt) {
  const values = new Float64Array(data.length / 3);
  for (let i = 0; i < values.length; i++) values[i] = sampleAt(data, i * 3);
  return values;
}

// Makes each sample anew from its line, along the rows and then along the columns.
function alongBoth(values, { width, height }, made) {
  let result = values;
  for (const [count, step, lines, next] of [[width, 1, height, width], [height, width, width, 1]]) {
    const given = result;
    result = new Float64Array(given.length);
    for (let line = 0; line < lines; line++) {
      for (let i = 0; i < count; i++) result[line * next + i * step] = made(given, line * next, step, i, count);
    }
  }
  return result;
}

// The mean of the window around a sample, cut at the borders.
function windowMean(values, start, step, index, count) {
  const first = Math.max(index - RADIUS, 0);
  const last = Math.min(index + RADIUS, count - 1);
  let sum = 0;
  for (let i = first; i <= last; i++) sum += values[start + i * step];
  return sum / (last - first + 1);
}

// How each color follows the luminance around each pixel.
function slopesOf(guide, planes, size) {
  const boxMean = (value) => alongBoth(guide.map(value), size, windowMean);
  const mean = boxMean((light) => light);
  const squares = boxMean((light) => light * light);
  return planes.map((plane) => {
    const planeMean = boxMean((_, i) => plane[i]);
    const products = boxMean((light, i) => light * plane[i]);
    return boxMean((_, i) => (products[i] - mean[i] * planeMean[i]) / (squares[i] - mean[i] * mean[i] + EPSILON));
  });
}

// Smooths with a binomial filter of 3 x 3 pixels, the more the larger each of them is shown.
function withoutGrid(values, size, scale) {
  const side = 0.25 * Math.min(1, scale - 1);
  return alongBoth(values, size, (given, start, step, index, count) => {
    const before = given[start + Math.max(index - 1, 0) * step];
    const after = given[start + Math.min(index + 1, count - 1) * step];
    return (1 - 2 * side) * given[start + index * step] + side * (before + after);
  });
}

// Gives the rows of an enlarged plane one by one, each in the same array: whole planes would take too much memory.
function enlarged(values, from, to, filter) {
  const taps = 2 * filter.reach;
  const rows = windows(from.height, to.height, filter);
  const columns = windows(from.width, to.width, filter);
  const starts = Int32Array.from(columns, ({ start }) => start);
  const weights = new Float64Array(to.width * taps); // of a window that is cut at the border, the last are zero
  columns.forEach((column, i) => weights.set(column.weights, i * taps));
  const line = new Float64Array(from.width + taps);
  const result = new Float64Array(to.width);
  return (row) => {
    line.fill(0);
    rows[row].weights.forEach((weight, i) => {
      const start = (rows[row].start + i) * from.width;
      for (let x = 0; x < from.width; x++) line[x] += weight * values[start + x];
    });
    for (let x = 0, at = 0; x < to.width; x++) {
      let sum = 0;
      for (let i = starts[x]; i < starts[x] + taps; i++) sum += line[i] * weights[at++];
      result[x] = sum;
    }
    return result;
  };
}

// `painted` is the painting of `small`, which is `content` made smaller: both of floats. Gives bytes, and floats if asked.
export function upsampled(painted, small, content, asFloats) {
  const { data, width, height } = content;
  const scale = Math.min(height / small.height, width / small.width);
  const guide = plane(small, luminance);
  const planes = [0, 1, 2].map((channel) => plane(painted, (samples, at) => samples[at + channel]));
  const smooth = (values) => enlarged(withoutGrid(values, small, scale), small, content, CUBIC);
  const guideRow = smooth(guide);
  const bases = planes.map(smooth);
  const slopes = slopesOf(guide, planes, small).map((values) => enlarged(values, small, content, LINEAR));
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255); // assigning to it rounds and clamps
  const detail = new Float64Array(width);
  const floats = asFloats ? new Float32Array(width * height * 3) : null;
  for (let row = 0; row < height; row++) {
    const light = guideRow(row);
    for (let x = 0; x < width; x++) detail[x] = luminance(data, (row * width + x) * 4) / 255 - light[x];
    for (let channel = 0; channel < 3; channel++) {
      const base = bases[channel](row);
      const slope = slopes[channel](row);
      for (let x = 0, at = row * width; x < width; x++, at++) {
        const value = Math.min(1, Math.max(0, base[x] + slope[x] * detail[x]));
        pixels[at * 4 + channel] = value * 255;
        if (floats) floats[at * 3 + channel] = value;
      }
    }
  }
  return { data: pixels, width, height, floats };
}

// Waveform, spectrogram and posteriors, on canvases that share one time axis.

const PIXELS_PER_SECOND = 150; // of long recordings, which scroll
const WIDEST = 9000;
const HEIGHTS = { waveform: 110, spectrogram: 150, posteriors: 170 };
// From silence to the loudest: dark violet to pale yellow, with evenly rising lightness.
const SCALE = [[0, 0, 4], [59, 15, 112], [140, 41, 129], [222, 73, 104], [254, 159, 109], [252, 253, 191]];
const CURVES = 8;

/** Unpack bytes from `{shape: [rows, columns], data: base64}`. */
export function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
  const [rows, columns] = packed.shape;
  return { rows, columns, at: (row, column) => bytes[row * columns + column] };
}

/** Width in CSS pixels of the drawing of some seconds, in a box of some pixels. */
export function widthOf(seconds, box) {
  return Math.round(Math.min(WIDEST, Math.max(box, seconds * PIXELS_PER_SECOND)));
}

/** Draw all three; `words` have a text, and start and end in seconds. */
export function draw(visualization, words, width) {
  const seconds = Math.max(visualization.drawn_seconds, 1e-3);
  const scale = width / seconds;
  drawWaveform(prepare("waveform", width), visualization, words, scale);
  drawSpectrogram(prepare("spectrogram", width), visualization);
  drawPosteriors(prepare("posteriors", width), visualization, scale);
}

function prepare(name, width) {
  const canvas = document.getElementById(name);
  const ratio = width > 3000 ? 1 : window.devicePixelRatio || 1; // browsers limit the size of a canvas
  const height = HEIGHTS[name];
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, sans-serif";
  return { pen, width, height };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function drawWaveform({ pen, width, height }, visualization, words, scale) {
  const outline = unpack(visualization.waveform);
  const top = 20, middle = (top + height) / 2, reach = (height - top) / 2;
  let loudest = 1;
  for (let column = 0; column < outline.columns; column++) {
    loudest = Math.max(loudest, Math.abs(outline.at(0, column) - 127.5), Math.abs(outline.at(1, column) - 127.5));
  }
  const y = (value) => middle - ((value - 127.5) / loudest) * reach;
  const step = width / outline.columns;
  pen.fillStyle = colour("curve-0");
  for (let column = 0; column < outline.columns; column++) {
    const high = y(outline.at(1, column)), low = y(outline.at(0, column));
    pen.fillRect(column * step, high, Math.max(step, 0.7), Math.max(low - high, 1));
  }
  pen.fillStyle = colour("ink");
  pen.strokeStyle = colour("line");
  pen.textBaseline = "middle";
  for (const word of words) {
    const x = word.start * scale;
    pen.beginPath();
    pen.moveTo(x + 0.5, 2);
    pen.lineTo(x + 0.5, height);
    pen.stroke();
    pen.fillText(word.text, x + 3, 10, Math.max((word.end - word.start) * scale - 3, 12));
  }
}

function drawSpectrogram({ pen, width, height }, visualization) {
  const energies = unpack(visualization.spectrogram);
  const image = new ImageData(energies.columns, energies.rows);
  const colours = Array.from({ length: 256 }, (_, value) => heat(value / 255));
  for (let row = 0; row < energies.rows; row++) {
    for (let column = 0; column < energies.columns; column++) {
      const place = 4 * ((energies.rows - 1 - row) * energies.columns + column); // low frequencies at the bottom
      image.data.set(colours[energies.at(row, column)], place);
    }
  }
  const small = document.createElement("canvas");
  small.width = energies.columns;
  small.height = energies.rows;
  small.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, width, height);
}

function heat(share) {
  const place = share * (SCALE.length - 1), below = Math.min(Math.floor(place), SCALE.length - 2);
  const mix = SCALE[below].map((low, channel) => low + (SCALE[below + 1][channel] - low) * (place - below));
  return [...mix.map(Math.round), 255];
}

function drawPosteriors({ pen, width, height }, visualization, scale) {
  const curves = unpack(visualization.posteriors);
  const top = 22, bottom = height - 18;
  const y = (value) => bottom - (value / 255) * (bottom - top);
  const x = (step) => step * visualization.seconds_per_step * scale;
  const path = (row) => {
    pen.beginPath();
    for (let step = 0; step < curves.columns; step++) pen.lineTo(x(step), y(curves.at(row, step)));
  };
  path(0);
  pen.lineTo(x(curves.columns - 1), bottom);
  pen.lineTo(0, bottom);
  pen.fillStyle = colour("blank");
  pen.fill();
  pen.strokeStyle = colour("line");
  path(0);
  pen.stroke();
  const colours = visualization.symbols.map((symbol, row) => symbol === " " ? colour("ink") : colour(`curve-${row % CURVES}`));
  pen.lineWidth = 1.5;
  for (let row = 1; row < curves.rows; row++) {
    pen.strokeStyle = colours[row];
    path(row);
    pen.stroke();
  }
  pen.textAlign = "center";
  pen.textBaseline = "alphabetic";
  pen.font = "bold 13px ui-monospace, monospace";
  for (const { symbol, peak } of visualization.emitted) {
    pen.fillStyle = colours[visualization.symbols.indexOf(symbol)] || colour("ink");
    pen.fillText(symbol === " " ? "␣" : symbol, peak * scale, top - 7);
  }
  drawSeconds(pen, width, height, scale);
}

function drawSeconds(pen, width, height, scale) {
  const every = [0.1, 0.2, 0.5, 1, 2, 5, 10].find((step) => step * scale >= 45) || 30;
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = colour("muted");
  pen.textAlign = "left";
  for (let number = 0; number * every * scale < width - 30; number++) {
    const seconds = number * every;
    pen.fillRect(seconds * scale, height - 17, 1, 4);
    pen.fillText(`${+seconds.toFixed(1)} s`, seconds * scale + 3, height - 4);
  }
}

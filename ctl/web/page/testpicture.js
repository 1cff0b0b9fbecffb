// SPDX-License-Identifier: GPL-3.0-or-later
// A moving picture and a beeping tone for those without a camera: colour bars, a clock, a name.

const BARS = ['#ffffff', '#f5d60a', '#19b5c9', '#2ba84a', '#b02fb0', '#d1372c', '#2541c4'];
const BEEP_MS = 1000;

/**
 * @param {{ width: number, height: number, frameRate: number }} size
 * @param {string} name
 */
export function makeTestPicture({ width, height, frameRate }, name) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  let n = 0;
  const draw = () => {
    drawBars(context, width, height);
    drawBall(context, width, height, n++);
    drawText(context, width, height, [name, new Date().toISOString().slice(11, 21)]);
  };
  draw();
  // Not by animation frames: these stop in a tab that nobody looks at.
  const timer = setInterval(draw, 1000 / frameRate);
  const stream = canvas.captureStream(frameRate);
  const [track] = stream.getVideoTracks();
  return { track: /** @type {MediaStreamTrack} */ (track), stop: () => clearInterval(timer) };
}

export function makeTestSound() {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: 440 });
  const gain = new GainNode(context, { gain: 0 });
  const destination = context.createMediaStreamDestination();
  oscillator.connect(gain).connect(destination);
  oscillator.start();
  let loud = false;
  const beep = () => {
    loud = !loud;
    gain.gain.setTargetAtTime(loud ? 0.2 : 0, context.currentTime, 0.02);
  };
  beep();
  const timer = setInterval(beep, BEEP_MS);
  const [track] = destination.stream.getAudioTracks();
  const stop = () => {
    clearInterval(timer);
    void context.close();
  };
  return { track: /** @type {MediaStreamTrack} */ (track), stop };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 */
function drawBars(context, width, height) {
  BARS.forEach((colour, i) => {
    context.fillStyle = colour;
    context.fillRect((i * width) / BARS.length, 0, width / BARS.length + 1, height);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {number} n
 */
function drawBall(context, width, height, n) {
  const angle = n / 12;
  context.fillStyle = '#101418';
  context.beginPath();
  const x = width / 2 + (width / 3) * Math.cos(angle);
  const y = height / 2 + (height / 3) * Math.sin(angle);
  context.arc(x, y, height / 10, 0, 2 * Math.PI);
  context.fill();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {string[]} lines
 */
function drawText(context, width, height, lines) {
  const size = Math.round(height / 9);
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textAlign = 'center';
  context.fillStyle = 'rgba(16, 20, 24, 0.75)';
  context.fillRect(width / 5, height / 2 - 1.4 * size, (3 * width) / 5, 2.8 * size);
  context.fillStyle = '#ffffff';
  lines.forEach((line, i) => {
    context.fillText(line, width / 2, height / 2 + (i - 0.2) * size * 1.2, (3 * width) / 5 - 8);
  });
}

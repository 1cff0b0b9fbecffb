// SPDX-License-Identifier: GPL-3.0-or-later
// The player: WHEP, tried again until somebody publishes and whenever it ends.
import { HttpError, HttpSession, pageOptions } from './client.js';

const RETRY_SECONDS_MAX = 15;

const { room, token } = pageOptions();
const video = /** @type {HTMLVideoElement} */ (document.getElementById('video'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));
const unmute = /** @type {HTMLButtonElement} */ (document.getElementById('unmute'));
/** @type {HttpSession | undefined} */
let session;
let tries = 0;

/** @param {string} text */
function say(text) {
  status.textContent = text;
}

async function play() {
  const mine = new HttpSession(`/whep/${room}`, { token });
  session = mine;
  const stream = new MediaStream();
  mine.pc.addTransceiver('video', { direction: 'recvonly' });
  mine.pc.addTransceiver('audio', { direction: 'recvonly' });
  mine.pc.addEventListener('track', ({ track }) => stream.addTrack(track));
  mine.pc.addEventListener('connectionstatechange', () => {
    if (mine.pc.connectionState === 'connected') {
      tries = 0;
      say('Playing.');
    }
  });
  mine.onended = () => again('The stream has ended. Waiting for it to come back.');
  try {
    await mine.start();
    video.srcObject = stream;
  } catch (error) {
    await mine.close();
    failed(/** @type {Error} */ (error));
  }
}

/** @param {Error} error */
function failed(error) {
  if (!(error instanceof HttpError)) {
    again('The server cannot be reached. Trying again.');
  } else if (error.status === 409) {
    again('Nobody publishes here yet. Waiting.', error.retryAfter);
  } else if (error.status === 429 || error.status >= 500) {
    again(`${error.message} Trying again.`, error.retryAfter);
  } else {
    say(error.message);
  }
}

/**
 * Soon at first, then less often.
 * @param {string} text
 * @param {number} [seconds]
 */
function again(text, seconds = 1) {
  say(text);
  setTimeout(() => void play(), 1000 * Math.min(RETRY_SECONDS_MAX, seconds * 1.5 ** tries++));
}

/** @type {HTMLElement} */ (document.getElementById('room')).textContent = room;
unmute.addEventListener('click', () => {
  video.muted = !video.muted;
  unmute.textContent = video.muted ? 'Turn the sound on' : 'Turn the sound off';
});
addEventListener('pagehide', () => void session?.close());
void play();

// For tests and the curious: what the player's connection counts.
Object.assign(window, { session: () => session });

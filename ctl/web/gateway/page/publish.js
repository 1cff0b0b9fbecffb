// SPDX-License-Identifier: GPL-3.0-or-later
// The publisher: camera or screen by WHIP.
import { HttpSession, pageOptions } from './client.js';

const { room, token } = pageOptions();

/** @param {string} id */
const button = (id) => /** @type {HTMLButtonElement} */ (document.getElementById(id));
const video = /** @type {HTMLVideoElement} */ (document.getElementById('video'));
const status = /** @type {HTMLElement} */ (document.getElementById('status'));
const watch = /** @type {HTMLAnchorElement} */ (document.getElementById('watch'));
/** @type {HttpSession | undefined} */
let session;

/** @param {string} text */
function say(text) {
  status.textContent = text;
}

/** @param {boolean} isOn */
function show(isOn) {
  button('camera').disabled = isOn;
  button('screen').disabled = isOn;
  button('stop').disabled = !isOn;
}

/** @param {() => Promise<MediaStream>} open */
async function publish(open) {
  show(true);
  try {
    const stream = await open();
    video.srcObject = stream;
    const mine = new HttpSession(`/whip/${room}`, { token });
    session = mine;
    for (const track of stream.getTracks()) {
      mine.pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
      track.addEventListener('ended', () => void stop('Stopped.'));
    }
    mine.onended = (why) => void stop(why);
    mine.pc.addEventListener('connectionstatechange', () => {
      if (mine.pc.connectionState === 'connected') {
        say('On air.');
      }
    });
    say('Connecting.');
    await mine.start();
  } catch (error) {
    await stop(wordsFor(/** @type {Error} */ (error)));
  }
}

/** @param {Error} error */
function wordsFor(error) {
  switch (error.name) {
    case 'NotAllowedError':
      return 'The browser was not allowed to use it. Allow it in the address bar and try again.';
    case 'NotFoundError':
      return 'There is no camera or microphone.';
    case 'NotReadableError':
      return 'Another program uses the camera or microphone.';
    case 'TypeError':
      return navigator.mediaDevices
        ? 'The server cannot be reached.'
        : 'Browsers give camera and screen to pages from https or localhost only.';
    default:
      return error.message;
  }
}

/** @param {string} why */
async function stop(why) {
  const mine = session;
  session = undefined;
  for (const track of /** @type {MediaStream | null} */ (video.srcObject)?.getTracks() ?? []) {
    track.stop();
  }
  video.srcObject = null;
  say(why);
  show(false);
  await mine?.close();
}

/** @type {HTMLElement} */ (document.getElementById('room')).textContent = room;
watch.href = `/play/${room}`;
watch.textContent = new URL(watch.href, location.href).href;
button('camera').addEventListener('click', () =>
  publish(() => navigator.mediaDevices.getUserMedia({ audio: true, video: true })),
);
button('screen').addEventListener('click', () =>
  publish(() => navigator.mediaDevices.getDisplayMedia({ audio: true, video: true })),
);
button('stop').addEventListener('click', () => void stop('Stopped.'));
addEventListener('pagehide', () => void session?.close());

// For tests and the curious: what the publisher's connection counts.
Object.assign(window, { session: () => session });

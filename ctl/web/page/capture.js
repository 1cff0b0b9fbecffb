// SPDX-License-Identifier: GPL-3.0-or-later
// Camera, microphone and screen, and what to tell when the browser does not give them.

/** @typedef {{ width: number, height: number, frameRate: number, bitrate: number }} Quality */

/** @type {Record<string, Quality>} */
export const qualities = {
  low: { width: 320, height: 180, frameRate: 15, bitrate: 250_000 },
  medium: { width: 640, height: 360, frameRate: 25, bitrate: 800_000 },
  high: { width: 1280, height: 720, frameRate: 30, bitrate: 2_000_000 },
};

export class CaptureError extends Error {}

/** @param {Quality} quality */
export function getCamera({ width, height, frameRate }) {
  const video = {
    width: { ideal: width },
    height: { ideal: height },
    frameRate: { ideal: frameRate, max: frameRate },
  };
  return getUserMedia('camera', { video });
}

export function getMicrophone() {
  return getUserMedia('microphone', {
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  });
}

export function canShareScreen() {
  return typeof navigator.mediaDevices?.getDisplayMedia === 'function';
}

/** @returns {Promise<MediaStreamTrack[]>} none: the person changed their mind */
export async function getScreen() {
  try {
    const options = { video: { frameRate: { max: 15 } }, audio: true };
    return (await navigator.mediaDevices.getDisplayMedia(options)).getTracks();
  } catch (error) {
    if (/** @type {Error} */ (error).name === 'NotAllowedError') {
      return [];
    }
    throw new CaptureError(`The screen cannot be shared: ${messageOf(error)}`);
  }
}

/**
 * @param {'camera' | 'microphone'} what
 * @param {MediaStreamConstraints} constraints
 */
async function getUserMedia(what, constraints) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new CaptureError(
      `Browsers give the ${what} only to pages that come over https, or from this machine ` +
        `(localhost). You can watch, or send the test picture.`,
    );
  }
  try {
    const [track] = (await navigator.mediaDevices.getUserMedia(constraints)).getTracks();
    return /** @type {MediaStreamTrack} */ (track);
  } catch (error) {
    throw new CaptureError(explain(what, error));
  }
}

/**
 * @param {string} what
 * @param {unknown} error
 */
function explain(what, error) {
  switch (/** @type {Error} */ (error).name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return (
        `The ${what} was refused. You are in the room without it; to use it, allow it ` +
        `in the browser's settings for this page, then press its button.`
      );
    case 'NotFoundError':
      return `No ${what} was found. You are in the room without it.`;
    case 'NotReadableError':
    case 'AbortError':
      return `The ${what} cannot be opened; perhaps another program uses it.`;
    default:
      return `The ${what} cannot be used: ${messageOf(error)}`;
  }
}

/** @param {unknown} error */
function messageOf(error) {
  return /** @type {Error} */ (error).message;
}

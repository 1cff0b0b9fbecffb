// SPDX-License-Identifier: GPL-3.0-or-later
// The buttons during a call: what is sent, and leaving.
import { canShareScreen, CaptureError, getCamera, getMicrophone, getScreen } from './capture.js';
import { byId } from './dom.js';
import { alert, settle } from './notices.js';
import { makeTestPicture, makeTestSound } from './testpicture.js';

const SCREEN_BITRATE = 2_500_000;

export class Tools {
  #mute = byId('mute', HTMLButtonElement);
  #camera = byId('camera', HTMLButtonElement);
  #test = byId('test', HTMLButtonElement);
  #screen = byId('screen', HTMLButtonElement);

  /**
   * @param {import('./call.js').Call} call
   * @param {import('./capture.js').Quality} quality
   */
  constructor(call, quality) {
    this.call = call;
    this.quality = quality;
    this.#screen.hidden = !canShareScreen();
    this.#mute.onclick = () => void this.#toggleMute();
    this.#camera.onclick = () => void this.#toggle('camera', () => this.startCamera());
    this.#test.onclick = () => void this.#toggle('test-picture', () => this.startTest());
    this.#screen.onclick = () => void this.#toggle('screen', () => this.#startScreen());
    call.on('local', () => this.#show());
    this.#show();
  }

  startCamera() {
    return this.#try('camera', async () => {
      const track = await getCamera(this.quality);
      await this.#publish({ source: 'camera', track, bitrate: this.quality.bitrate });
    });
  }

  startMicrophone() {
    return this.#try('microphone', async () => {
      await this.#publish({ source: 'microphone', track: await getMicrophone() });
    });
  }

  startTest() {
    return this.#try('test', async () => {
      const picture = makeTestPicture(this.quality, this.call.name);
      const sound = makeTestSound();
      await this.#publish({ source: 'test-picture', bitrate: this.quality.bitrate, ...picture });
      await this.#publish({ source: 'test-sound', ...sound });
    });
  }

  #startScreen() {
    return this.#try('screen', async () => {
      for (const track of await getScreen()) {
        const video = track.kind === 'video';
        await this.#publish({
          source: video ? 'screen' : 'screen-sound',
          track,
          ...(video ? { bitrate: SCREEN_BITRATE } : {}),
        });
      }
    });
  }

  /** @param {Omit<import('./call.js').Local, 'paused'>} what */
  async #publish(what) {
    if (this.call.state === 'out') {
      what.track.stop(); // left while the browser asked
      what.stop?.();
      return;
    }
    await this.call.publish(what);
  }

  /**
   * @param {string} topic
   * @param {() => Promise<void>} start
   */
  async #try(topic, start) {
    settle(topic);
    try {
      await start();
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      if (error instanceof CaptureError) {
        alert(topic, message);
      } else if (this.call.state === 'in') {
        alert(topic, `This could not be sent: ${message}`);
      } // else it is published again when the room is joined again
    }
  }

  /**
   * @param {string} source
   * @param {() => Promise<void>} start
   */
  async #toggle(source, start) {
    const { locals } = this.call;
    if (!locals.has(source)) {
      await start();
      return;
    }
    this.call.unpublish(source);
    if (source === 'test-picture') {
      this.call.unpublish('test-sound');
    } else if (source === 'screen') {
      this.call.unpublish('screen-sound');
    }
  }

  #sounds() {
    const { locals } = this.call;
    return ['microphone', 'test-sound'].filter((source) => locals.has(source));
  }

  async #toggleMute() {
    const sounds = this.#sounds();
    if (sounds.length === 0) {
      await this.startMicrophone();
      return;
    }
    const paused = !sounds.every((source) => this.call.locals.get(source)?.paused);
    for (const source of sounds) {
      this.call.pause(source, paused);
    }
  }

  #show() {
    const { locals } = this.call;
    const sounds = this.#sounds();
    const muted = sounds.length > 0 && sounds.every((source) => locals.get(source)?.paused);
    this.#mute.textContent = sounds.length === 0 ? 'Microphone' : 'Mute';
    press(this.#mute, muted);
    press(this.#camera, locals.has('camera'));
    press(this.#test, locals.has('test-picture'));
    press(this.#screen, locals.has('screen'));
  }
}

/**
 * @param {HTMLElement} button
 * @param {boolean} pressed
 */
function press(button, pressed) {
  button.setAttribute('aria-pressed', String(pressed));
}

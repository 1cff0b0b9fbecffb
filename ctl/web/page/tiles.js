// SPDX-License-Identifier: GPL-3.0-or-later
// The pictures: one tile for each participant, one more for a screen that is shared.
// Events: `blocked`: the browser plays no sound before somebody has pressed something.
import { byId, make } from './dom.js';
import { Emitter } from './emitter.js';

/** @typedef {import('./call.js').Stream} Stream */

/** @param {string} source */
const isScreen = (source) => source.startsWith('screen');

export class Tile {
  element = make('li', 'tile');
  picture = make('div', 'picture');
  figures = make('p', 'figures');
  video = make('video');
  audio = make('audio');
  #state = make('span', 'state');
  #initial;
  #name = make('span', 'name');

  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.#initial = make('span', 'initial', [...name][0]?.toUpperCase() ?? '?');
    this.#initial.setAttribute('aria-hidden', 'true');
    this.#name.textContent = name;
    this.video.autoplay = true;
    this.video.playsInline = true;
    this.video.muted = true; // sound is the audio element's
    this.video.hidden = true;
    this.audio.autoplay = true;
    this.video.setAttribute('aria-label', `Picture of ${name}`);
    this.picture.append(this.#initial, this.video, this.audio);
    const caption = make('div', 'caption');
    caption.append(this.#name, this.#state);
    this.element.append(this.picture, caption, this.figures);
  }

  /** @param {string} text */
  set state(text) {
    this.#state.textContent = text;
  }

  /** @param {boolean} speaking */
  set speaking(speaking) {
    this.element.classList.toggle('speaking', speaking);
  }

  /**
   * @param {'audio' | 'video'} kind
   * @param {MediaStreamTrack | undefined} track
   */
  show(kind, track) {
    const element = kind === 'video' ? this.video : this.audio;
    const shown = /** @type {MediaStream | null} */ (element.srcObject)?.getTracks()[0];
    if (shown !== track) {
      element.srcObject = track ? new MediaStream([track]) : null;
    }
    if (kind === 'video') {
      this.video.hidden = !track;
    }
    return track ? element.play() : Promise.resolve();
  }
}

export class Tiles extends Emitter {
  #list = byId('tiles', HTMLUListElement);
  /** @type {Map<string, Tile>} by member, and by member and `-screen` */
  #tiles = new Map();
  /** @type {import('./call.js').Call} */
  #call;

  /** @param {import('./call.js').Call} call */
  constructor(call) {
    super();
    this.#call = call;
    this.#list.replaceChildren();
    this.own = this.#add('own', `${call.name} (you)`);
    call.on('member', ({ id, name, kind }) => {
      if (kind !== 'whep') {
        this.#add(id, name); // somebody who only watches elsewhere has no tile
      }
    });
    call.on('memberleft', (id) => this.#remove(id));
    call.on('stream', (stream) => this.#show(stream, stream.consumer?.track));
    call.on('streamchanged', (stream) => this.#show(stream, stream.consumer?.track));
    call.on('streamclosed', (stream) => this.#closed(stream));
    call.on('streamfailed', ({ stream }) => this.#failed(stream));
    call.on('local', () => this.#showOwn());
    call.on('reset', () => this.#reset());
  }

  /** @param {Stream} stream */
  of(stream) {
    return this.#tiles.get(this.#key(stream));
  }

  /** Starts what the browser did not want to play by itself. */
  play() {
    for (const { audio, video } of this.#tiles.values()) {
      void audio.play().catch(() => {});
      void video.play().catch(() => {});
    }
  }

  clear() {
    this.#list.replaceChildren();
    this.#tiles.clear();
  }

  /** @param {Stream} stream */
  #key({ memberId, source }) {
    return isScreen(source) ? `${memberId}-screen` : memberId;
  }

  /**
   * @param {string} key
   * @param {string} name
   */
  #add(key, name) {
    const tile = new Tile(name);
    this.#tiles.get(key)?.element.remove();
    this.#tiles.set(key, tile);
    this.#list.append(tile.element);
    return tile;
  }

  /** @param {string} key */
  #remove(key) {
    this.#tiles.get(key)?.element.remove();
    this.#tiles.delete(key);
  }

  #reset() {
    for (const key of [...this.#tiles.keys()]) {
      if (!key.startsWith('own')) {
        this.#remove(key);
      }
    }
  }

  /**
   * @param {Stream} stream
   * @param {MediaStreamTrack | undefined} track
   */
  #show(stream, track) {
    const tile = this.of(stream) ?? this.#addScreen(stream);
    const paused = stream.paused && stream.kind === 'video';
    tile.show(stream.kind, paused ? undefined : track).catch((error) => {
      if (error.name === 'NotAllowedError') {
        this.emit('blocked');
      }
    });
    this.#describe(tile, stream.memberId);
  }

  /** @param {Stream} stream */
  #addScreen(stream) {
    const name = this.#call.members.get(stream.memberId)?.name ?? 'Somebody';
    const tile = this.#add(this.#key(stream), isScreen(stream.source) ? `${name}: screen` : name);
    if (isScreen(stream.source)) {
      tile.element.classList.add('wide');
      this.#list.prepend(tile.element);
    }
    return tile;
  }

  /** @param {Stream} stream */
  #closed(stream) {
    const others = [...this.#call.streams.values()].filter(
      (other) => this.#key(other) === this.#key(stream),
    );
    if (isScreen(stream.source) && others.length === 0) {
      this.#remove(this.#key(stream));
      return;
    }
    const tile = this.of(stream);
    if (tile) {
      // Somebody may have a camera and a test picture: the other one shows again.
      const next = others.find(({ kind }) => kind === stream.kind);
      void tile.show(stream.kind, next?.consumer?.track).catch(() => {});
      tile.figures.textContent = '';
      this.#describe(tile, stream.memberId);
    }
  }

  /** @param {Stream} stream */
  #failed(stream) {
    const tile = this.of(stream);
    if (tile) {
      tile.state = `${stream.source} cannot be received`;
    }
  }

  /**
   * @param {Tile} tile
   * @param {string} memberId
   */
  #describe(tile, memberId) {
    const audio = [...this.#call.streams.values()].filter(
      (other) =>
        other.memberId === memberId && other.kind === 'audio' && this.of(other) === tile,
    );
    const muted = audio.length > 0 && audio.every(({ paused }) => paused);
    tile.state = muted ? 'muted' : '';
  }

  #showOwn() {
    const { locals } = this.#call;
    const picture = locals.get('camera') ?? locals.get('test-picture');
    this.own.picture.classList.toggle('mirrored', picture?.source === 'camera');
    void this.own.show('video', picture?.track).catch(() => {});
    const sounds = [locals.get('microphone'), locals.get('test-sound')].filter((l) => l);
    this.own.state = sounds.every((local) => local?.paused) ? 'muted' : '';
    const screen = locals.get('screen');
    if (!screen) {
      this.#remove('own-screen');
    } else if (!this.#tiles.has('own-screen')) {
      void this.#add('own-screen', 'Your screen').show('video', screen.track).catch(() => {});
    }
  }
}

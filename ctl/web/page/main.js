// SPDX-License-Identifier: GPL-3.0-or-later
// The page: the form before a call, the call, and the way between them.
import { Call } from './call.js';
import { qualities } from './capture.js';
import { Chat } from './chat.js';
import { byId } from './dom.js';
import { Figures } from './figures.js';
import { alert, say, settle } from './notices.js';
import { Speaking } from './speaking.js';
import { Tiles } from './tiles.js';
import { Tools } from './tools.js';

const lobby = byId('lobby', HTMLFormElement);
const room = byId('room', HTMLInputElement);
const name = byId('name', HTMLInputElement);
const quality = byId('quality', HTMLSelectElement);
const wantMicrophone = byId('want-microphone', HTMLInputElement);
const wantCamera = byId('want-camera', HTMLInputElement);
const wantTest = byId('want-test', HTMLInputElement);
const callSection = byId('call', HTMLElement);
const tools = byId('tools', HTMLElement);
const leave = byId('leave', HTMLButtonElement);
const figuresButton = byId('figures', HTMLButtonElement);
const copyLink = byId('copy-link', HTMLButtonElement);
const roomTitle = byId('room-title', HTMLElement);

/** @type {Record<import('./call.js').State, string>} */
const WORDS = {
  joining: 'Joining ...',
  in: 'You are in the room.',
  reconnecting: 'The connection to the server is lost; connecting again ...',
  mending: 'The way to the media relay is disturbed; looking for another ...',
  'relay-away': 'The media relay is away. You will be in the room again as soon as it is back.',
  out: 'You have left the room.',
};

/** Private windows may refuse storage. */
function remembered() {
  try {
    return localStorage.getItem('name') ?? '';
  } catch {
    return '';
  }
}

function remember(/** @type {string} */ text) {
  try {
    localStorage.setItem('name', text);
  } catch {
    // not this time
  }
}

function fillLobby() {
  const query = new URLSearchParams(location.search);
  const [, fromPath] = /^\/r\/([^/]+)$/.exec(location.pathname) ?? [];
  try {
    room.value = fromPath === undefined ? room.value : decodeURIComponent(fromPath);
  } catch {
    room.value = '';
  }
  name.value = query.get('name') ?? remembered();
  const wanted = query.get('quality') ?? '';
  if (Object.hasOwn(qualities, wanted)) {
    quality.value = wanted;
  }
  (room.value === '' ? room : name).focus();
}

function start() {
  const { protocol, host } = location;
  const url = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/signal`;
  const call = new Call(url, room.value, name.value.trim());
  remember(call.name);
  history.replaceState(null, '', `/r/${encodeURIComponent(call.room)}`);
  document.title = `${call.room} - Sluice room`;

  const tiles = new Tiles(call);
  const chosen = qualities[quality.value] ?? qualities['medium'];
  const controls = new Tools(call, /** @type {import('./capture.js').Quality} */ (chosen));
  new Chat(call);
  const speaking = new Speaking(call, tiles);
  const figures = new Figures(call, tiles);

  tiles.on('blocked', () =>
    alert('blocked', 'Your browser plays sound only when you say so.', {
      label: 'Play sound',
      run: () => tiles.play(),
    }),
  );
  figuresButton.onclick = () => {
    figures.on = !figures.on;
    figuresButton.setAttribute('aria-pressed', String(figures.on));
  };
  leave.onclick = () => call.leave();
  call.on('state', ({ state, reason }) => {
    say(WORDS[/** @type {import('./call.js').State} */ (state)]);
    if (reason) {
      alert('call', reason);
    }
    if (state === 'out') {
      speaking.stop();
      figures.on = false;
      figuresButton.setAttribute('aria-pressed', 'false');
      tiles.clear();
      settle('blocked');
      settle('chat');
      show(false);
    }
  });
  // For the console and for tests.
  Object.assign(globalThis, { sluiceCall: call });

  settle('call');
  show(true, call.room);
  call.join();
  // The test picture needs no permission; what does is asked for while the room is joined.
  if (wantTest.checked) {
    void controls.startTest();
  } else if (wantCamera.checked) {
    void controls.startCamera();
  }
  if (wantMicrophone.checked && !wantTest.checked) {
    void controls.startMicrophone();
  }
}

/**
 * @param {boolean} inCall
 * @param {string} [title]
 */
function show(inCall, title = '') {
  lobby.hidden = inCall;
  callSection.hidden = !inCall;
  tools.hidden = !inCall;
  copyLink.hidden = !inCall;
  roomTitle.textContent = title;
  // The focus must not fall into nothing when what had it is hidden.
  (inCall ? byId('mute', HTMLButtonElement) : byId('join', HTMLButtonElement)).focus();
}

lobby.addEventListener('submit', (event) => {
  event.preventDefault();
  if (name.value.trim() === '') {
    alert('call', 'Please give a name.');
    name.focus();
    return;
  }
  start();
});

copyLink.addEventListener('click', () => {
  const link = `${location.origin}${location.pathname}`; // without a name
  const copied = navigator.clipboard?.writeText(link) ?? Promise.reject(new Error('not secure'));
  copied.then(
    () => say('The link is copied.'),
    () => alert('link', `The link of this room: ${link}`),
  );
});

fillLobby();

// SPDX-License-Identifier: GPL-3.0-or-later
// The chat beside the pictures.
import { byId, make } from './dom.js';
import { alert, settle } from './notices.js';

const LINES_MAX = 200;

export class Chat {
  #panel = byId('chat', HTMLElement);
  #log = byId('chat-log', HTMLElement);
  #lines = byId('chat-lines', HTMLOListElement);
  #form = byId('chat-form', HTMLFormElement);
  #text = byId('chat-text', HTMLInputElement);
  #button = byId('show-chat', HTMLButtonElement);
  /** @type {Set<string>} */
  #seen = new Set();
  #unread = 0;

  /** @param {import('./call.js').Call} call */
  constructor(call) {
    this.call = call;
    this.#lines.replaceChildren();
    this.open = false;
    call.on('chat', (line) => this.#add(line));
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      void this.#send();
    };
    this.#button.onclick = () => {
      this.open = this.#panel.hidden;
      if (!this.#panel.hidden) {
        this.#text.focus();
      }
    };
  }

  /** @param {boolean} open */
  set open(open) {
    this.#panel.hidden = !open;
    this.#button.setAttribute('aria-expanded', String(open));
    this.#unread = 0;
    this.#label();
    this.#scroll();
  }

  #scroll() {
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #label() {
    this.#button.textContent = this.#unread > 0 ? `Chat (${this.#unread} new)` : 'Chat';
  }

  async #send() {
    const text = this.#text.value.trim();
    if (text === '') {
      return;
    }
    try {
      await this.call.say(text);
      this.#text.value = '';
      settle('chat');
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      alert('chat', `The message was not sent: ${message}`);
    }
  }

  /** @param {{ id: string, from: string, name: string, text: string, at: number }} line */
  #add({ id, from, name, text, at }) {
    if (this.#seen.has(id)) {
      return; // told again after a reconnect
    }
    this.#seen.add(id);
    const item = make('li');
    const when = new Date(at);
    const clock = when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const time = make('time', '', clock);
    time.dateTime = when.toISOString();
    const who = make('span', 'from', from === this.call.memberId ? 'You' : name);
    item.append(time, ' ', who, ': ', make('span', 'text', text));
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const atEnd = scrollHeight - scrollTop - clientHeight < 40;
    this.#lines.append(item);
    if (this.#lines.childElementCount > LINES_MAX) {
      this.#lines.firstElementChild?.remove();
    }
    if (atEnd) {
      this.#scroll();
    }
    if (this.#panel.hidden) {
      this.#unread++;
      this.#label();
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
// Words for the person in front: one line that tells the state, and alerts that stay until they are
// taken away or settled. Screen readers hear both.
import { byId, make } from './dom.js';

const status = byId('status', HTMLElement);
const alerts = byId('alerts', HTMLElement);
/** @type {Map<string, HTMLElement>} */
const shown = new Map();

/** @param {string} text */
export function say(text) {
  if (status.textContent !== text) {
    status.textContent = text;
  }
}

/**
 * One alert for each topic; the newer replaces the older.
 * @param {string} topic
 * @param {string} text
 * @param {{ label: string, run: () => void }} [action]  instead of taking it away
 */
export function alert(topic, text, action) {
  settle(topic);
  const box = make('div', 'alert');
  box.dataset['topic'] = topic;
  const button = make('button', '', action?.label ?? 'Close');
  button.type = 'button';
  if (!action) {
    button.setAttribute('aria-label', `Close this message: ${text}`);
  }
  button.addEventListener('click', () => {
    settle(topic);
    action?.run();
  });
  box.append(make('span', '', text), button);
  alerts.append(box);
  shown.set(topic, box);
}

/** @param {string} topic */
export function settle(topic) {
  shown.get(topic)?.remove();
  shown.delete(topic);
}

// SPDX-License-Identifier: GPL-3.0-or-later
// Something that was asked and is not done; the code is for programs, the message for people.

export class Refusal extends Error {
  /**
   * @param {'bad-request'|'full'|'relay-away'|'not-found'|'wrong-state'|'too-fast'} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
  }
}

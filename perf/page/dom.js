// SPDX-License-Identifier: GPL-3.0-or-later
// Elements and numbers. What a report says is text and never markup.

/** An element; children are elements, or anything that becomes text. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) {
      element.setAttribute(key, value);
    }
  }
  element.append(...children.flat());
  return element;
}

const forms = new Map();

/** Three digits that count, thousands marked; a dash for what is not known. */
export function show(value) {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return '\u2013';
  }
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 4;
  if (!forms.has(digits)) {
    forms.set(digits, new Intl.NumberFormat('en', { maximumFractionDigits: digits }));
  }
  return forms.get(digits).format(value);
}

/**
 * A table that scrolls by itself where it is too wide, also by keyboard. The first cell of a row is
 * its head; numbers are shown as numbers, and what begins with one stays in a line.
 */
export function table(caption, heads, rows) {
  const cell = (value) =>
    typeof value === 'number' || value === null || value === undefined
      ? el('td', { class: 'number' }, show(value))
      : el('td', { class: /^[\d<>]/.test(value) ? 'line' : null }, value);
  const body = rows.map(([first, ...rest]) =>
    el('tr', {}, el('th', { scope: 'row' }, first), rest.map(cell)),
  );
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    el(
      'table',
      {},
      el('caption', {}, caption),
      el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col' }, head)))),
      el('tbody', {}, body),
    ),
  );
}

// SPDX-License-Identifier: GPL-3.0-or-later
import type { Emitter } from './emitter.js';
import type { Worker } from './worker.js';

export type ObserverEvents = { newworker: [Worker] };
/** Of all workers of a process. */
export type Observer = Emitter<ObserverEvents>;

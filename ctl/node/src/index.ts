// SPDX-License-Identifier: GPL-3.0-or-later
// What applications import.
import type { AppData } from './app_data.js';
import { Emitter } from './emitter.js';
import type { Observer, ObserverEvents } from './observer.js';
import { Worker, type WorkerSettings } from './worker.js';

export type * as types from './types.js';
export type * from './types.js';
export * as errors from './errors.js';
export * from './errors.js';
export { codecFits } from './codec_match.js';
export { setLogEventListeners } from './logger.js';
export { parseScalabilityMode } from './scalability_mode.js';

/** As in package.json. */
export const version = '0.1.0';

/** Of all workers of this process. */
export const observer: Observer = new Emitter<ObserverEvents>();

/** Connects to a relay, or starts one. Rejects with ConnectError if there is none. */
export async function createWorker<A extends AppData = AppData>(
  settings: WorkerSettings<A> = {},
): Promise<Worker<A>> {
  const worker = await Worker.create(settings);
  observer.safeEmit('newworker', worker as unknown as Worker);
  return worker;
}

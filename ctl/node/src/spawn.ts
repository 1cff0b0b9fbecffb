// SPDX-License-Identifier: GPL-3.0-or-later
// A relay of one's own: a sluiced that starts and ends with this process.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ConnectError } from './errors.js';
import { Logger } from './logger.js';

const logger = new Logger('sluiced');
const TAIL_LINES = 10;
/** From SIGINT to SIGKILL. */
const PATIENCE_MS = 5000;

// None of them may outlive this process, however it ends short of SIGKILL.
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) {
    child.kill('SIGKILL');
  }
});

export type SpawnOptions = {
  workerBin: string;
  workerArgs: string[];
  logLevel: string;
  /** Fields of sluiced.json. */
  config: Record<string, unknown>;
};

export class OwnRelay {
  readonly socketPath: string;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #tail: string[] = [];
  /** Resolves when it has ended, however that came. */
  readonly ended: Promise<Error>;

  /** It runs; it need not listen yet. */
  static async start(options: SpawnOptions): Promise<OwnRelay> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
    // A file of its own, always: the machine's /etc/sluice/sluiced.json is another relay's.
    const config = join(folder, 'sluiced.json');
    await writeFile(config, JSON.stringify(options.config));
    return new OwnRelay(options, folder, config);
  }

  private constructor(options: SpawnOptions, folder: string, config: string) {
    this.#folder = folder;
    this.socketPath = join(folder, 'sluice.sock');
    const given = ['--config', config, '--socket', this.socketPath, '--workers', '1'];
    const args = [...given, '--log-level', options.logLevel, ...options.workerArgs];
    this.#child = spawn(options.workerBin, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    running.add(this.#child);
    this.ended = this.#watch();
  }

  /** Asks it to end, and insists after a while. */
  stop(): void {
    this.#child.kill('SIGINT');
    setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS).unref();
  }

  #watch(): Promise<Error> {
    createInterface({ input: this.#child.stderr! }).on('line', (line) => {
      this.#tail.push(line);
      this.#tail.splice(0, this.#tail.length - TAIL_LINES);
      logger.debug(line);
    });
    return new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#finish();
        resolve(new ConnectError(`sluiced does not start: ${error.message}`, { cause: error }));
      });
      this.#child.once('close', (code, signal) => {
        this.#finish();
        const how = signal ? `by ${signal}` : `with exit status ${code}`;
        resolve(new ConnectError(`sluiced ended ${how}: ${this.#tail.join('\n')}`));
      });
    });
  }

  #finish(): void {
    running.delete(this.#child);
    rm(this.#folder, { recursive: true, force: true }).catch((error: Error) => {
      logger.warn(`${this.#folder} stays: ${error.message}`);
    });
  }
}

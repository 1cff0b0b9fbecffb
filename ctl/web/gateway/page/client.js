// SPDX-License-Identifier: GPL-3.0-or-later
// A client of WHIP and WHEP for browsers: offer, answer, trickled candidates, ICE restart, end.
// Nothing in it is Sluice's own.

const GATHER_MS = 50;
const RESTART_MS = 1000;

export class HttpError extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   * @param {number} [retryAfter]  seconds
   */
  constructor(status, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export class HttpSession {
  /** @type {RTCIceCandidate[]} */
  #candidates = [];
  #location = '';
  #etag = '';
  #closed = false;
  /** @type {number | undefined} */
  #flushing;
  /** @type {number | undefined} */
  #restarting;

  /**
   * @param {string} endpoint
   * @param {object} [options]
   * @param {string} [options.token]
   * @param {RTCConfiguration} [options.configuration]
   */
  constructor(endpoint, { token, configuration } = {}) {
    this.endpoint = new URL(endpoint, location.href).href;
    this.token = token;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', ...configuration });
    /** Called with why, once it is over other than by close(). @type {(why: string) => void} */
    this.onended = () => {};
    this.pc.addEventListener('icecandidate', ({ candidate }) => this.#found(candidate));
    this.pc.addEventListener('connectionstatechange', () => this.#changed());
  }

  /** After the transceivers are there. */
  async start() {
    await this.pc.setLocalDescription();
    const response = await this.#fetch(this.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: this.pc.localDescription?.sdp,
    });
    this.#location = new URL(response.headers.get('location') ?? '', response.url).href;
    this.#etag = response.headers.get('etag') ?? '';
    const sdp = await response.text();
    if (this.#closed) {
      await this.#delete();
      return;
    }
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
    this.#flushSoon();
  }

  /** New credentials and candidates, for another network for example. */
  async restartIce() {
    this.pc.restartIce();
    const offer = await this.pc.createOffer();
    const previous = this.pc.currentRemoteDescription?.sdp ?? '';
    this.#candidates = [];
    await this.pc.setLocalDescription(offer);
    const response = await this.#fetch(this.#location, {
      method: 'PATCH',
      headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' },
      body: this.#fragment([]),
    });
    this.#etag = response.headers.get('etag') ?? this.#etag;
    const fragment = await response.text();
    const [ufrag, password] = ['ice-ufrag', 'ice-pwd'].map((name) => lineOf(fragment, name));
    const sdp = withCredentials(previous, ufrag, password);
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
    this.#flushSoon();
  }

  async close() {
    if (!this.#closed) {
      this.#stop();
      await this.#delete();
    }
  }

  #stop() {
    this.#closed = true;
    clearTimeout(this.#flushing);
    clearTimeout(this.#restarting);
    this.pc.close();
  }

  async #delete() {
    const path = this.#location;
    this.#location = '';
    if (path) {
      // keepalive: also where the page is on its way out.
      await this.#fetch(path, { method: 'DELETE', keepalive: true }).catch(() => {});
    }
  }

  #changed() {
    const { connectionState } = this.pc;
    clearTimeout(this.#restarting);
    if (connectionState === 'disconnected') {
      this.#restarting = window.setTimeout(() => {
        // Where this fails, `failed` follows, or it has recovered by itself.
        this.restartIce().catch((error) => {
          if (error instanceof HttpError && error.status === 404) {
            this.#over('The server has ended it.');
          }
        });
      }, RESTART_MS);
    } else if (connectionState === 'failed' || connectionState === 'closed') {
      this.#over('The connection was lost.');
    }
  }

  /** @param {string} why */
  #over(why) {
    if (!this.#closed) {
      this.#stop();
      void this.#delete();
      this.onended(why);
    }
  }

  /** @param {RTCIceCandidate | null} candidate */
  #found(candidate) {
    if (candidate?.candidate) {
      this.#candidates.push(candidate);
      this.#flushSoon();
    }
  }

  /** Candidates go in bunches, and not before the session has its address. */
  #flushSoon() {
    if (this.#flushing === undefined && this.#location && this.#etag) {
      this.#flushing = window.setTimeout(() => {
        this.#flushing = undefined;
        void this.#flush();
      }, GATHER_MS);
    }
  }

  async #flush() {
    const candidates = this.#candidates.splice(0);
    if (candidates.length === 0 || this.#closed) {
      return;
    }
    await this.#fetch(this.#location, {
      method: 'PATCH',
      headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': this.#etag },
      body: this.#fragment(candidates),
    }).catch(() => {}); // those that the server has may do
  }

  /** @param {RTCIceCandidate[]} candidates */
  #fragment(candidates) {
    const sdp = this.pc.localDescription?.sdp ?? '';
    const lines = [
      ...(sdp.match(/^a=group:BUNDLE .*$/m) ?? []),
      ...(sdp.match(/^m=.*$/m) ?? []),
      ...(sdp.match(/^a=mid:.*$/m) ?? []),
      `a=ice-ufrag:${lineOf(sdp, 'ice-ufrag')}`,
      `a=ice-pwd:${lineOf(sdp, 'ice-pwd')}`,
      ...candidates.map(({ candidate }) => `a=${candidate}`),
    ];
    return lines.map((line) => `${line.trim()}\r\n`).join('');
  }

  /**
   * @param {string} url
   * @param {RequestInit & { headers?: Record<string, string> }} init
   */
  async #fetch(url, { headers = {}, ...init }) {
    const all = new Headers(headers);
    if (this.token) {
      all.set('authorization', `Bearer ${this.token}`);
    }
    const response = await fetch(url, { ...init, headers: all });
    if (!response.ok) {
      const problem = await response.json().catch(() => ({}));
      const retry = Number(response.headers.get('retry-after'));
      throw new HttpError(
        response.status,
        problem.detail ?? `HTTP ${response.status}`,
        retry > 0 ? retry : undefined,
      );
    }
    return response;
  }
}

/**
 * @param {string} sdp
 * @param {string} name
 */
const lineOf = (sdp, name) => new RegExp(`^a=${name}:(.*?)\\r?$`, 'm').exec(sdp)?.[1] ?? '';

/**
 * @param {string} sdp
 * @param {string} ufrag
 * @param {string} password
 */
const withCredentials = (sdp, ufrag, password) =>
  sdp
    .replace(/^a=ice-ufrag:.*$/gm, () => `a=ice-ufrag:${ufrag}`)
    .replace(/^a=ice-pwd:.*$/gm, () => `a=ice-pwd:${password}`);

/** What both pages take from their address: `/play/ROOM#token=...`. */
export function pageOptions() {
  const room = location.pathname.split('/').at(-1) ?? '';
  // Behind the #, so that it is in no log of a server.
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? undefined;
  return { room, token };
}

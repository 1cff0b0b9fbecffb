// SPDX-License-Identifier: GPL-3.0-or-later
// What the gateway takes. Everything that a client can make grow has its bound here.

export const defaultLimits = {
  /** Sessions, WHIP and WHEP together. */
  sessions: 1000,
  /** Of these, from one address. Viewers behind one proxy or NAT share one. */
  sessionsPerAddress: 200,
  /** Requests of one address, all but OPTIONS: so many a second, and so many at once. */
  postsPerSecond: 20,
  postsBurst: 100,
  /** An offer of a browser has 3 to 10 KiB. */
  offerBytes: 64 * 1024,
  fragmentBytes: 16 * 1024,
  sections: 8,
  /** A session whose media is not connected by then goes. */
  connectMs: 30_000,
  /** Consent of a peer that is not heard of expires then: 10 to 60. */
  consentSeconds: 20,
  /** After consent has expired: time for an ICE restart that is under way. */
  disconnectedMs: 5000,
  /** What a viewer of a room without a stream is told to wait. */
  retrySeconds: 2,
};

/** @typedef {typeof defaultLimits} Limits */

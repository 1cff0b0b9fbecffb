// SPDX-License-Identifier: GPL-3.0-or-later
// What one server takes. Everything that others can make grow has its bound here.

export const defaultLimits = {
  rooms: 100,
  membersPerRoom: 32,
  transportsPerMember: 4,
  producersPerMember: 6,
  /** WebSocket connections, those that have not joined included. */
  connections: 1000,
  /** Of these, from one address; an IPv6 /64 is one. */
  connectionsPerAddress: 100,
  messageBytes: 128 * 1024,
  /** Messages of one connection: so many a second, and so many at once. */
  messagesPerSecond: 100,
  messagesBurst: 1000,
  /** Requests of one connection that are not answered yet. */
  requestsPending: 100,
  /** What may wait for a connection that does not read. */
  backlogBytes: 1024 * 1024,
  chatChars: 1000,
  chatPerSecond: 2,
  chatBurst: 8,
  chatLines: 100,
  /** A connection that has not joined by then is closed. */
  joinMs: 120_000,
  /** How long a member whose WebSocket broke is waited for. */
  resumeMs: 20_000,
  emptyRoomMs: 30_000,
  pingMs: 15_000,
};

/** @typedef {typeof defaultLimits} Limits */
